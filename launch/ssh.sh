#!/usr/bin/env bash
# Trains on machines that are reached by ssh, in step, and goes on when one is lost:
#   launch/ssh.sh "hostA hostB" /shared/slim python train_image_classifier.py --train_dir=…
# The first host is the chief. Every host has the folder (the second argument) with this
# program, the data and --train_dir in the same place, and lets you in without a password.
set -u

read -ra hosts <<<"$1"
folder=$2
shift 2
command=${*@Q}
port=${CLUSTER_PORT:-29400}

# Without a sign of life from its host ssh ends after 30 s; by itself it waits for hours.
options=(-tt -o BatchMode=yes -o ConnectTimeout=20)
options+=(-o ServerAliveInterval=10 -o ServerAliveCountMax=3)

# Starts the command on a host; -tt ends it with this script.
start() {
  ssh "${options[@]}" "${hosts[$1]}" "cd ${folder@Q} && exec env RANK=$1 \
    WORLD_SIZE=${#hosts[@]} MASTER_ADDR=${hosts[0]#*@} MASTER_PORT=$port $command" \
    </dev/null > >(sed -u "s/^/$1: /") 2>&1 &
}

for ((tries = 0; tries <= ${MAX_RESTARTS:-100}; tries++)); do
  pids=()
  for i in "${!hosts[@]}"; do
    start "$i"
    pids+=($!)
  done
  trap 'kill "${pids[@]}" 2>/dev/null' INT TERM
  # The status of the first that ends other than well.
  status=0
  for _ in "${pids[@]}"; do
    wait -n "${pids[@]}" || { status=$?; break; }
  done
  # The others end by themselves, within seconds; what hangs is not waited for.
  for ((secs = 0; secs < ${GRACE_SECS:-30}; secs++)); do
    [[ $(jobs -rp) ]] || break
    sleep 1
  done
  kill "${pids[@]}" 2>/dev/null
  wait "${pids[@]}" 2>/dev/null
  case $status in
    137 | 138 | 255) sleep "${RESTART_SECS:-5}" ;; # a machine was lost; 255 is ssh's own
    *) exit "$status" ;;
  esac
done
exit "$status"
