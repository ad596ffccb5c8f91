"""The only ways to git, jj, DataLad, `/proc`, systemd and files; each tool has one door."""
