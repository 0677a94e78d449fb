# shellcheck shell=bash
# Sourced by the scripts of scripts/proofs that run instances on a real Kafka and Redis, after they have set rate (events/s). Without
# HONGBAO_TEST_BROKERS the script begins again beside parts of its own (with-real). What it starts goes to pids, what it writes to dir:
# both go with it. SEED is of the moments and the load; printed.
here=$(cd "$(dirname "$0")/.." && pwd -P)
[[ ${HONGBAO_TEST_BROKERS:-} ]] || exec "$here/with-real" "$0"
export HONGBAO_BROKERS=$HONGBAO_TEST_BROKERS HONGBAO_REDIS=$HONGBAO_TEST_REDIS
RANDOM=${SEED:=$RANDOM}
# shellcheck disable=SC2154 # set by who sources this
echo "seed $SEED, $rate events/s"
dir=$(mktemp -d)
pids=()

# at_end: what a script has to stop besides; it may be defined anew.
at_end() { :; }

cleanup() {
  local code=$?
  trap - EXIT INT TERM
  if ((code != 0)); then
    tail -n 20 "$dir"/*.log >&2 || true
  fi
  kill -TERM "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  at_end || true
  rm -rf "$dir"
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# run NAME PORT N [ARG...]: start an instance; its pid goes to pids[N].
run() {
  HONGBAO_INSTANCE=$1 HONGBAO_DATA=$dir/$1 HONGBAO_LISTEN=127.0.0.1:$2 hongbao run "${@:4}" >>"$dir/$1.log" 2>&1 &
  pids[$3]=$!
}

# readyz PORT: whether the instance there says that it is ready. Asked without a process of its own: two cores are all there are.
readyz() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3
    read -r status <&3
    [[ $status == *" 200"* ]]
  ) 2>/dev/null
}

# ready PORT: wait until the instance there is ready.
ready() {
  local deadline=$((SECONDS + 60))
  until readyz "$1"; do
    ((SECONDS < deadline)) || {
      echo "the instance at port $1 is not ready after 60 s:" >&2
      hongbao health --ready --listen "127.0.0.1:$1" >&2 || true
      return 1
    }
    sleep 0.02
  done
}

# cascades EVENTS: set load to the data set in CASCADES, or without it to so many generated events.
# shellcheck disable=SC2034 # read by who sources this
cascades() {
  if [[ -e ${CASCADES:-}/False.zip ]]; then
    load=(cascades "$CASCADES/False.zip")
  else
    load=(synthetic --events "$1" --chains 100 --seed "$SEED" --dup 2 --bad 1)
  fi
}

# content SECONDS [ARG...]: wait until verify finds every check kept, no lag and no open coupon, and show it; the answer stays in verify.json.
content() {
  local patience=$1 deadline=$((SECONDS + $1))
  shift
  until hongbao verify "$@" --json >"$dir/verify.json"; do
    ((SECONDS < deadline)) || {
      echo "verify is not content $patience s after the last event" >&2
      hongbao verify "$@" >&2
      return 1
    }
    sleep 1
  done
  hongbao verify "$@"
}

# number FILE NAME: a number of an answer in JSON; 0 where it has none.
number() {
  local found
  found=$(grep -o "\"$2\":[0-9]*" "$1" | head -n 1 | cut -d : -f 2) || true
  echo "${found:-0}"
}
