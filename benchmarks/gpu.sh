#!/usr/bin/env bash
# What needs a GPU, in at most ten minutes: tests, then a table of speeds. Says so, and
# measures nothing, where there is none.
#   benchmarks/gpu.sh [FOLDER]      # FOLDER keeps the logs; by default a temporary one
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-.venv/bin/python}
export TF_CPP_MIN_LOG_LEVEL=2
log=${1:-$(mktemp -d)}
mkdir -p "$log"

num_gpus=$("$python" -c 'import tensorflow as tf
print(len(tf.config.list_physical_devices("GPU")))' 2>"$log/devices.log")
if ((${num_gpus:-0} == 0)); then
  echo "no GPU: TensorFlow sees none, so nothing was run"
  exit 0
fi
nvidia-smi --query-gpu=index,name,memory.total,driver_version --format=csv,noheader
"$python" -c 'import tensorflow as tf; print("TensorFlow", tf.__version__)' 2>/dev/null

# Runs a command with a time limit; a line of the table, from what it logs.
rows=()
row() {
  local name=$1 secs=$2 status=0 found left=$((590 - SECONDS))
  shift 2
  if ((left < 20)); then
    rows+=("$(printf '%-34s %s' "$name" "not run: ten minutes are over")")
    return
  fi
  timeout $((secs < left ? secs : left)) "$@" >"$log/$name.log" 2>&1 || status=$?
  found=$(grep -oE '[0-9.,]+ images/s' "$log/$name.log" | tail -n 1)
  ((status == 0)) || found="failed with status $status, see $log/$name.log"
  rows+=("$(printf '%-34s %s' "$name" "${found:-done}")")
  echo "${rows[-1]}"
}

row tests 150 "$python" -m pytest -q -p no:cacheprovider tests/engine/devices_test.py \
  tests/engine/step/train_step_test.py

# Photos made here: 512 JPEG files of 320 pixels, in 5 classes.
"$python" - "$log/photos" <<'PHOTOS' >"$log/photos.log" 2>&1
import pathlib, sys
import numpy as np
from PIL import Image
draw = np.random.default_rng(0)
for i in range(512):
    path = pathlib.Path(sys.argv[1]) / f"class{i % 5}" / f"{i}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = draw.integers(0, 256, (20, 20, 3), np.uint8)
    Image.fromarray(coarse).resize((320, 320)).save(path, quality=90)
PHOTOS
data=$log/data
"$python" convert/images_to_tfrecord.py --image_dir="$log/photos" --dataset_dir="$data" \
  --dataset_name=photos >"$log/convert.log" 2>&1

# A run of a few steps: name, then its flags.
train() {
  local name=$1
  shift
  row "$name" 60 "$python" train_image_classifier.py --dataset_dir="$data" \
    --train_dir="$log/run-$name" --model_name=inception_v3 --save_summaries_secs=0 \
    --max_number_of_steps=60 --log_every_n_steps=20 --batch_size=32 "$@"
}
train all
train all-without-tf32 --tf32=false
train all-bfloat16 --precision=mixed_bfloat16
train all-jit --jit_compile
train head --trainable_scopes=head
train head-cached --trainable_scopes=head --feature_cache=memory --max_number_of_steps=400
train input-bound --model_name=mobilenet_v1_025 --batch_size=128
for ((clones = 2; clones <= num_gpus; clones *= 2)); do
  train "all-$clones-clones" --num_clones="$clones"
done
row evaluation 60 "$python" eval_image_classifier.py --dataset_split_name=train \
  --checkpoint_path="$log/run-all" --eval_dir="$log/eval"

echo
printf '%s\n' "InceptionV3 at 299 px, 32 images per GPU where nothing else is said" \
  "${rows[@]}"
