r"""The script that prints the text files of processes, for hosts where nothing may be installed.

It is POSIX sh and needs nothing but ``cat`` and ``readlink``; where ``tee`` and ``wc`` are there it counts
what it prints of listings, so that each missing byte is noticed. Starting programs is what it costs, so small
files pass through a variable, whose length the shell knows, and the host's are read once for all processes.
`vmdiff.importers.bundle` reads what it prints.

Facts: ``/proc/self/fd/3`` opens a pipe again (proc(5)), and all goes through one ``cat``, so it is a pipe
whatever standard output is. A root of its own may have no ``/dev/null``. Each bundle has its own mark, so
that no name of a thread can end a file. 13,000,000 pages are about where a walk over the page tables takes
half a second: then one is enough.
"""

MARK = "VMDIFF_MARK"  # the variable that chooses the mark; else the script draws one

SCRIPT = r"""LC_ALL=C; PATH=$PATH:/usr/bin:/bin:/system/bin; export LC_ALL PATH
if [ -c /dev/null ]; then exec 4>/dev/null; else exec 4>&2; fi
mark=$VMDIFF_MARK
[ "$mark" ] || { read -r mark < /proc/sys/kernel/random/uuid; mark=${mark%%-*}; } 2>&4
mark=@vmdiff:${mark:-$$}
counted() { { n=$("$@" 2>&4 | tee /proc/self/fd/3 | wc -lc); } 3>&1; }
plain() { n=; "$@" 2>&4 || n="0 0"; }
put() {
  echo "$mark file $1"
  $way cat "$2"
  set -- "$1" "$2" $n
  why=
  [ "$3$4" = 00 ] && why=$(cat "$2" 2>&1 >&4)
  echo "$mark end $1 $3 $4${why:+ unread: $why}"
}
small() {
  name=$1; shift
  t=$("$@" 2>&4; echo .)
  t=${t%.}; why=
  [ "$t" ] || why=$("$@" 2>&1 >&4)
  echo "$mark file $name"
  printf %s "$t"
  echo "$mark end $name - ${#t}${why:+ unread: $why}"
}
host() {
  for f in ostype osrelease hostname random/boot_id; do small "${f##*/}" cat "/proc/sys/kernel/$f"; done
  for f in overcommit_memory max_map_count; do small "$f" cat "/proc/sys/vm/$f"; done
  small thp cat /sys/kernel/mm/transparent_hugepage/enabled
  small meminfo cat /proc/meminfo
  small machine uname -m
  small btime grep "^btime " /proc/stat
}
tids() { for t in "$p"/task/*; do echo "${t##*/}"; done; }
one() {
  echo "$mark process $1 $2 of $3"
  p=/proc/$1
  if [ -d "$p" ]; then
    printf "%s\n" "$host"
    small uptime cat /proc/uptime
    small stat cat "$p/stat"
    small exe readlink "$p/exe"
    small pid_namespace readlink "$p/ns/pid"
    for f in status cgroup limits; do small "$f" cat "$p/$f"; done
    small tids tids
    small names cat "$p"/task/*/comm
    put maps "$p/maps"
    if [ -e "$p/smaps" ]; then
      put smaps "$p/smaps"
      pages=; read -r _ pages _ < "$p/statm"
      [ "${pages:-0}" -lt 13000000 ] && [ -e "$p/smaps_rollup" ] && put smaps_rollup "$p/smaps_rollup"
    fi
    put maps-again "$p/maps"
    small stat-again cat "$p/stat"
  else
    echo "$mark file absent"; echo "$mark end absent 0 0"
  fi 2>&4
  echo "$mark done $1"
}
main() {
  way=plain; i=0
  { n=$(echo | tee /proc/self/fd/3 | wc -lc); } 2>&4 3>&1
  [ "$(echo $n)" = "1 1" ] && way=counted
  host=$(host)
  for pid; do i=$((i + 1)); one "$pid" $i $#; done
}
main "$@" | cat
"""

USAGE = r"""#!/bin/sh
# Prints the text files of processes; vmdiff reads what it prints, here or elsewhere:
#   sh collector PID... > bundle.txt
#   vmdiff show bundle.txt
# POSIX sh, cat and readlink; nothing is written and nothing is installed.
case "$*" in
  "") echo "usage: sh collector PID... > bundle.txt" >&2; exit 2;;
  *[!0-9\ ]*) echo "collector: process numbers only" >&2; exit 2;;
esac
"""


def collector() -> str:
    """Return the script with its usage, as a file to be run by hand."""
    return USAGE + SCRIPT
