# shellcheck shell=bash
# Sourced by kafka-local and redis-local: one background process per directory,
# known by its pid file. Works with the bash 3.2 and BSD tools of macOS too.

# die SENTENCE...: say why on stderr and end.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# need COMMAND SENTENCE: the part must be on the PATH.
need() {
  command -v "$1" >/dev/null 2>&1 || die "$1 is not on the PATH. $2"
}

# absolute DIR: make it and print it without symlinks, so that the process
# table shows the same text as the pid check below.
absolute() {
  mkdir -p "$1" && (cd "$1" && pwd -P)
}

# running PIDFILE MARK: print the pid if it lives and its command line contains
# MARK. Pids are used again after a reboot: a bare number proves nothing.
running() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  case $(ps -ww -o command= -p "$pid" 2>/dev/null) in
  *"$2"*) printf '%s\n' "$pid" ;;
  *) return 1 ;;
  esac
}

# answers PORT: does anything accept on this loopback port?
answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# free_port PORT: refuse a port that somebody else listens on.
free_port() {
  # shellcheck disable=SC2015 # die does not return
  [[ $1 =~ ^[0-9]{1,5}$ ]] && (($1 > 0 && $1 < 65535)) ||
    die "port \"$1\" is not a number from 1 to 65534."
  ! answers "$1" || die "port $1 is in use by another process. Stop it, or choose another with --port."
}

# launch PIDFILE LOG COMMAND...: start in a session of its own, so that a
# Ctrl-C in the terminal does not reach it.
launch() {
  local starter=nohup
  command -v setsid >/dev/null 2>&1 && starter=setsid
  "$starter" "${@:3}" </dev/null >"$2" 2>&1 &
  printf '%s\n' $! >"$1"
}

# await SECONDS CHECK...: poll a check five times a second.
await() {
  local tries=$(($1 * 5))
  shift
  while ((tries-- > 0)); do
    "$@" && return 0
    sleep 0.2
  done
  return 1
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# halt PIDFILE MARK SIGNAL SECONDS: end the process and wait until it is gone.
# Nothing running is success: stop is idempotent.
halt() {
  local pid
  if pid=$(running "$1" "$2"); then
    kill "-$3" "$pid" 2>/dev/null || true
    if ! await "$4" gone "$pid"; then
      kill -KILL "$pid" 2>/dev/null || true
      await 10 gone "$pid" || die "process $pid does not end, even by SIGKILL."
      echo "$(basename "$0"): process $pid did not end within $4 s of SIG$3 and was killed." >&2
    fi
  fi
  rm -f "$1"
}
