"""The short line of `status` in a shell's prompt, without Python: functions that read what the daemon keeps.

The daemon keeps a line a tree, a tab between the folder and the text, and its heartbeat: seconds since boot,
its pid, and what /proc/uptime said (proc_uptime(5)). A shell compares that with what it says now.
"""

from __future__ import annotations

import shlex

from wtwatch.project import config
from wtwatch.views.attention import SILENT

_POSIX = r"""
wtwatch_prompt() {
  local tree= text= best= shown= at= pid= beat= now= state= rest=
  [ -r @LINES@ ] || return 0
  while IFS=$'\t' read -r tree text; do
    case $PWD/ in
      "$tree"/*)
        if [ ${#tree} -gt ${#best} ]; then
          best=$tree shown=$text
        elif [ "$tree" = "$best" ]; then
          shown="$shown  $text"
        fi ;;
    esac
  done < @LINES@
  [ -n "$best" ] || return 0
  { read -r at pid beat rest < @BEAT@ && read -r now rest < /proc/uptime &&
    read -r rest rest state rest < "/proc/$pid/stat"; } 2>/dev/null
  case $state in
    '' | T | t | Z | X) beat= ;;
  esac
  if [ -z "$beat" ] || [ $((${now%%.*} - beat)) -gt @SILENT@ ]; then
    shown="${shown%% *} ?"
  fi
  printf '%s' "$shown"
}
"""

_FISH = r"""
function wtwatch_prompt
  set -l best ''
  set -l shown ''
  test -r @LINES@; or return 0
  while read -l -d \t tree text
    if test (string sub -l (string length -- "$tree/") -- "$PWD/") = "$tree/"
      if test (string length -- "$tree") -gt (string length -- "$best")
        set best $tree
        set shown $text
      else if test "$tree" = "$best"
        set shown "$shown  $text"
      end
    end
  end < @LINES@
  test -n "$best"; or return 0
  set -l alive 0
  if test -r @BEAT@
    read -l at pid beat rest < @BEAT@
    if test -r /proc/$pid/stat
      read -l now rest < /proc/uptime
      read -l number name state rest < /proc/$pid/stat
      if not contains -- $state T t Z X; and test (math "floor($now) - $beat") -le @SILENT@
        set alive 1
      end
    end
  end
  test $alive = 1; or set shown (string split -f 1 ' ' -- $shown)" ?"
  printf '%s' $shown
end
"""

_HOW = {
    "bash": """\
# in ~/.bashrc:
#   eval "$(wtwatch prompt bash)"
#   PS1='$(wtwatch_prompt) '"$PS1\"""",
    "zsh": """\
# in ~/.zshrc:
#   eval "$(wtwatch prompt zsh)"
#   setopt prompt_subst
#   PS1='$(wtwatch_prompt) '"$PS1\"""",
    "fish": """\
# in ~/.config/fish/config.fish, and then call wtwatch_prompt in fish_prompt:
#   wtwatch prompt fish | source""",
}

SHELLS = tuple(_HOW)
"""The shells that there is a function for."""


def function(shell: str) -> str:
    """Return the function for a shell, with how to have it in the prompt as a comment."""
    quote = _fish_quoted if shell == "fish" else shlex.quote
    text = _FISH if shell == "fish" else _POSIX
    names = {
        "@LINES@": quote(str(config.prompt_file())),
        "@BEAT@": quote(str(config.live_folder() / "beat")),
        "@SILENT@": str(int(SILENT)),
    }
    for name, value in names.items():
        text = text.replace(name, value)
    return _HOW[shell] + text


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
