#!/bin/sh
# fetch-speech.sh - unpacks a few seconds of real, free speech into the folder given; prints where they are.
#
#   sh samples/fetch-speech.sh FOLDER
#
# Five sentences of Jane Austen's "Sense and Sensibility", read for LibriVox (public domain), 24.7 s at 16 kHz, from Debian's
# package pocketsphinx-testdata (1.8 MB, BSD-2-clause). The package is only downloaded and unpacked, not installed, so this needs no root.
#
# SPDX-License-Identifier: MIT
set -eu

package=pocketsphinx-testdata
folder=${1:?usage: fetch-speech.sh FOLDER}
speech=$folder/speech

if [ -n "$(ls "$speech"/*.wav 2>/dev/null)" ]; then
    echo "$speech"
    exit 0
fi
for tool in apt-get dpkg-deb; do
    command -v $tool >/dev/null || {
        echo "fetch-speech: needs $tool (Debian); elsewhere: make demo RECORDING=talk.wav" >&2
        exit 1
    }
done
mkdir -p "$folder"
tmp=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

download() { (cd "$tmp" && apt-get -q=2 download $package >download.log 2>&1); }
update()
{
    if [ "$(id -u)" -eq 0 ]; then
        apt-get -q=2 update >/dev/null
    elif command -v sudo >/dev/null; then
        sudo apt-get -q=2 update >/dev/null
    else
        return 1
    fi
}
echo "fetching Debian's $package: a LibriVox reading (public domain) in a package under BSD-2-clause" >&2
download || { update && download; } || {
    sed 's/^/fetch-speech: /' "$tmp/download.log" >&2
    echo "fetch-speech: no recording to try; give one of yours: make demo RECORDING=talk.wav" >&2
    exit 1
}
dpkg-deb -x "$tmp"/$package*.deb "$tmp/unpacked"
mkdir -p "$speech"
cp "$tmp"/unpacked/usr/share/pocketsphinx/test/data/librivox/*.wav "$speech"
cp "$tmp/unpacked/usr/share/doc/$package/copyright" "$speech/COPYRIGHT"
echo "$speech"
