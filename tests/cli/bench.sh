# Rate-distortion of the tiny model beside other codecs: table without what differs from machine to machine, forms, refusals.
. "$SOURCE/tests/cli/setup/tools.sh"
mkdir sounds
wav 8000 1 16000 "$speech" >sounds/1.wav
wav 8000 1 12000 "0.7 * ($speech) + 0.05 * sin(5000 * t)" >sounds/2.wav
rd() { residua bench rd -q --model "$MODEL" -m segsnr,loudness "$@" sounds; }
columns() { awk '{ print $1, $2, $3, NF }'; }
rd --codecs residua,opus | sed -n '1,/^$/p' | columns
rd --codecs residua,opus | grep n/a
rd --codecs opus,mp3 | sed -n '/^Quality/,/^Bits/s/  *[-0-9 .]*$//p' # loudness is no quality
residua bench rd -q --codecs opus,mp3 -m loudness sounds | grep -c Quality
rd --codecs residua,mp3 --anchor mp3 --csv | cut -d, -f1,2 | tr -d '\r'
rd --codecs opus,vorbis --rate 16k -t 1 --json | sed 's/"\(encode\|decode\)_\(speed\|s\)": [^,]*, //g' >one
rd --codecs opus,vorbis --rate 16k -t 3 --json | sed 's/"\(encode\|decode\)_\(speed\|s\)": [^,]*, //g' >three
cmp one three && echo same
grep -c '"type": "point"' one
grep -c '"type": "bd_rate"' one
grep '"type": "equal_rate"' one | sed 's/.*"metric": "\([^"]*\).*/\1/' | uniq -c
rd --codecs opus --report page.html >table && grep -c '"kind": "rd"' page.html
try rd --codecs opus --report page.html
try rd --codecs opos
try rd --codecs opus --anchor mp3
try residua bench rd
try residua bench speed sounds
try residua bench rd --codecs opus missing
