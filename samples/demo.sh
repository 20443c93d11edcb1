#!/bin/sh
# demo.sh - encodes and decodes real speech with the built-in model; prints sizes, bitrates, speed and quality.
#
#   sh samples/demo.sh BUILD-FOLDER          speech from a free Debian package (samples/fetch-speech.sh)
#   RECORDING=talk.wav sh samples/demo.sh BUILD-FOLDER
#
# SPDX-License-Identifier: MIT
set -eu

build=${1:?usage: demo.sh BUILD-FOLDER}
here=$(dirname "$0")
out=$build/demo
mkdir -p "$out"

if [ -n "${RECORDING:-}" ]; then
    recordings=$RECORDING
else
    echo "Speech: read for LibriVox (public domain), from Debian's package pocketsphinx-testdata (BSD-2-clause)."
    recordings=$(ls "$(sh "$here/fetch-speech.sh" "$out")"/*.wav | head -n 1)
fi
rsd=$out/speech.rsd
wav=$out/decoded.wav

echo
echo "\$ residua encode $recordings"
"$build/residua" encode -f "$recordings" -o "$rsd"
echo
echo "\$ residua decode speech.rsd"
"$build/residua" decode -f "$rsd" -o "$wav"
echo
echo "\$ residua info speech.rsd"
"$build/residua" info "$rsd"
echo
echo "\$ residua eval ORIGINAL decoded.wav"
"$build/residua" eval "$recordings" "$wav"
echo
for rate in 3k 1.5k; do
    echo "\$ residua cut -b $rate speech.rsd, decoded"
    "$build/residua" cut -q -f -b $rate "$rsd" -o "$out/speech-$rate.rsd"
    "$build/residua" decode -q -f "$out/speech-$rate.rsd" -o "$out/decoded-$rate.wav"
    "$build/residua" eval -m mel,estoi "$recordings" "$out/decoded-$rate.wav"
done
original=$(wc -c <"$recordings")
coded=$(wc -c <"$rsd")
echo
echo "Sizes: recording $original bytes, speech.rsd $coded bytes ($((original / coded)) times smaller); at 3 and 1.5 kbit/s" \
    "$(wc -c <"$out/speech-3k.rsd") and $(wc -c <"$out/speech-1.5k.rsd") bytes. Everything is in $out."
