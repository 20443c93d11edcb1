# Distances of embeddings, and files that hold none.
. "$SOURCE/tests/cli/setup/tools.sh"
# header TEXT SIZE_OF_TEXT: 128 bytes in front of the numbers of a .npy file
header() { printf '\223NUMPY\001\000\166\000%-117s\n' "$1"; }
# Four points (0,0) (1,0) (0,1) (1,1) as float32: 1.0 is 00 00 80 3f.
{ header "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }"
  printf '\000\000\000\000\000\000\000\000\000\000\200\077\000\000\000\000\000\000\000\000\000\000\200\077\000\000\200\077\000\000\200\077'; } >a.npy
# The same moved by (1,0), as float64: 1.0 is 00 .. f0 3f, 2.0 is 00 .. 00 40.
{ header "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2), }"
  for v in 1 0 2 0 1 1 2 1; do
      case $v in 0) printf '\0\0\0\0\0\0\0\0' ;; 1) printf '\0\0\0\0\0\0\360\077' ;; 2) printf '\0\0\0\0\0\0\0\100' ;; esac
  done; } >b.npy
try residua eval --embeddings a.npy a.npy
try residua eval --embeddings a.npy b.npy
try residua eval --embeddings --json a.npy b.npy
echo '# too many rows for each with each'
{ header "{'descr': '<f4', 'fortran_order': False, 'shape': (10001, 1), }"; head -c 40004 /dev/zero; } >many.npy
{ header "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"; head -c 8 /dev/zero; } >two.npy
try residua eval --embeddings two.npy many.npy
try residua eval --embeddings --json many.npy two.npy
echo '# options of pairs'
for option in "-m snr" --csv --no-align "--fail-below snr=10" "--fail-above snr=10" "--report page.html" "--rate 8k" "--kind audio" -f --fmd; do
    try residua eval --embeddings $option a.npy b.npy 2>&1 | head -n 1
done
try residua eval --fmd -c a b
echo '# what is no set of embeddings'
{ header "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"; head -c 24 /dev/zero; } >three.npy
{ header "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }"; head -c 31 /dev/zero; } >short.npy
{ header "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 2), }"; head -c 32 /dev/zero; } >fortran.npy
{ header "{'descr': '<i4', 'fortran_order': False, 'shape': (4, 2), }"; head -c 32 /dev/zero; } >whole.npy
{ header "{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }"; head -c 32 /dev/zero; } >flat.npy
{ header "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }"; head -c 28 /dev/zero; printf '\000\000\300\177'; } >nan.npy
echo nothing >text.npy
for file in three short fortran whole flat nan text missing; do
    try residua eval --embeddings a.npy $file.npy
done
try residua eval --embeddings a.npy
