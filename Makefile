# Makefile of residua: `make help` lists the targets.
#
# C files are found by wildcard in the folders below, so a new file needs no line here. Objects, libraries and programs
# go to BUILD; one set of position-independent objects serves the static library, the shared one and the tests, which
# link the static library because the shared one hides its symbols.
#
#   make CC=clang BUILD=build-clang        another compiler, in its own folder
#   make WERROR=1                          warnings are errors
#   make check SANITIZE=address,undefined  or SANITIZE=thread: own folder build-address-undefined, build-thread
#
# SPDX-License-Identifier: MIT

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
SHELL := /bin/sh

# What needs no configuration works before ./configure; demo and check run it, installing what is missing; the rest asks.
UNCONFIGURED_GOALS := help clean distclean dist check-layers
ifneq ($(filter-out $(UNCONFIGURED_GOALS),$(or $(MAKECMDGOALS),all)),)
include config.mk
endif

SETUP_GOALS := demo check check-long
ifneq ($(filter $(SETUP_GOALS),$(MAKECMDGOALS)),)
FIRST_CONFIGURE := ./configure --install-deps
else
FIRST_CONFIGURE := @echo "residua is not configured: run ./configure (or ./configure --install-deps) first"; exit 1
endif

comma := ,
empty :=
space := $(empty) $(empty)
SANITIZE ?=
BUILD ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
B := $(BUILD)

# --- sources ----------------------------------------------------------------------------------------------------------

KERNEL_DIRS := engine/kernels/ref $(if $(filter x86 arm,$(ARCH)),engine/kernels/$(ARCH))
LIB_SRC := $(sort $(wildcard engine/*.c engine/*/*.c $(KERNEL_DIRS:=/*.c) media/*.c models/*.c losses/*.c codec/*.c))
PROGRAM_SRC := $(filter-out $(if $(filter yes,$(HAVE_MPI)),trainer/comm_single.c,trainer/comm_mpi.c), \
                 $(sort $(wildcard trainer/*.c cli/*.c)))
MODULE_SRC := $(sort $(wildcard media/libav/*.c))
# Criterion cannot start under the thread sanitizer; tests/plain runs the same tests there.
PLAIN_SRC := tests/plain/plain_runner.c
WITH_PLAIN := $(filter thread,$(SANITIZE))
TEST_SRC := $(filter-out tests/bench/% tests/fuzz/% tests/portable/% tests/quality/% $(if $(WITH_PLAIN),,$(PLAIN_SRC)), \
              $(sort $(wildcard tests/*.c tests/*/*.c tests/*/*/*.c)))
TEST_HELPER_SRC := $(filter-out $(PLAIN_SRC),$(foreach f,$(TEST_SRC),$(if $(filter test_%,$(notdir $f)),,$f)))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
QUALITY_SRC := $(sort $(wildcard tests/quality/*.c))
# What must have the same bits everywhere, without any library: make check-portable, make check-aarch64.
PORTABLE_SRC := codec/bitpack.c codec/cdf.c codec/cdf_grid.c codec/header.c codec/picture_alpha.c codec/picture_deltas.c codec/picture_format.c \
                codec/picture_reader.c codec/rans.c codec/scale_counts.c codec/tile_coder.c codec/tile_rvq.c codec/tile_scalar.c codec/tile_stages.c \
                engine/base/error.c engine/base/mem.c engine/base/rng.c engine/base/text.c engine/base/threads.c \
                engine/kernels/ref/integer.c engine/kernels/ref/rans.c models/image_level.c models/prior_run.c models/stage_run.c \
                tests/codec/rans_cases.c tests/codec/stage_cases.c tests/codec/stream_case.c tests/codec/tile_cases.c \
                $(sort $(wildcard tests/portable/*.c))
FUZZ_SRC := $(filter-out $(if $(filter yes,$(HAVE_PNG)),,tests/fuzz/fuzz_png_data.c),$(sort $(wildcard tests/fuzz/fuzz_*.c)))

objects = $(patsubst %.c,$B/%.o,$1)
LIB_OBJ := $(call objects,$(LIB_SRC)) $B/models/builtin_data.o
PROGRAM_OBJ := $(call objects,$(PROGRAM_SRC))
PROGRAM_REST := $(filter-out $B/cli/main.o,$(PROGRAM_OBJ))
MODULE_OBJ := $(call objects,$(MODULE_SRC))
TEST_OBJ := $(call objects,$(TEST_SRC))
TEST_HELPER_OBJ := $(call objects,$(TEST_HELPER_SRC))
BENCH_OBJ := $(call objects,$(BENCH_SRC))
QUALITY_OBJ := $(call objects,$(QUALITY_SRC))

STATIC_LIB := $B/libresidua.a
SONAME := libresidua.so.$(SOVERSION)
SHARED_LIB := $B/$(SONAME)
PROGRAM := $(if $(wildcard cli/main.c),$B/residua)
MODULE := $(if $(MODULE_SRC),$B/residua-av.so)
RUNNER := $B/tests/run

# --- flags ------------------------------------------------------------------------------------------------------------

WARN_FLAGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla $(if $(WERROR),-Werror)
SANITIZE_FLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
BASE_FLAGS = -std=c11 -D_GNU_SOURCE -I. $(DEP_CFLAGS) -fPIC -fvisibility=hidden -pthread -fno-math-errno $(WARN_FLAGS) \
             $(SANITIZE_FLAGS) $(EXTRA_CFLAGS)
# Kernels: floating-point exceptions are never looked at, which lets loops with a comparison become vectors.
SPEED_FLAGS = $(if $(findstring /engine/kernels/,$@),$(KERNEL_FLAGS) -fno-trapping-math,$(OPT_FLAGS))
ISA_FLAGS = $(if $(filter %_avx2.o,$@),$(ISA_avx2))$(if $(filter %_avx512.o,$@),$(ISA_avx512))
# Criterion's macros use other people's style; tables of cases leave out what is zero.
TEST_FLAGS = $(if $(findstring /tests/,$@),$(TEST_CFLAGS) -Wno-missing-prototypes -Wno-missing-field-initializers)
# clang needs a quarter of an hour for tiles that are instrumented for fuzzing; make check SANITIZE= has them.
PLAIN_FLAGS = $(if $(findstring fuzzer,$(SANITIZE)),$(if $(findstring /kernels/x86/,$@),-fno-sanitize=all))
MODULE_FLAGS = $(if $(findstring /media/libav/,$@),$(MODULE_CFLAGS))
COMPILE = $(CC) $(BASE_FLAGS) $(SPEED_FLAGS) $(ISA_FLAGS) $(TEST_FLAGS) $(MODULE_FLAGS) $(CPPFLAGS) $(PLAIN_FLAGS)
LINK_FLAGS = -pthread $(OPT_FLAGS) $(SANITIZE_FLAGS) -Wl,--as-needed $(LDFLAGS)

# make V=1 shows whole commands
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $1 $@)

# --- products ---------------------------------------------------------------------------------------------------------

.PHONY: all lib tests
all: lib $(PROGRAM) $(MODULE)
lib: $(STATIC_LIB) $(SHARED_LIB)
tests: $(RUNNER)

# What was in the environment is among the arguments by then; what is there now is make's: make CC=clang is meant for once.
RECONFIGURE = unset CC AR LD OBJCOPY CFLAGS CPPFLAGS LDFLAGS PKG_CONFIG; ./configure $(CONFIGURE_ARGS) >/dev/null
config.mk: configure
	$(if $(wildcard config.mk),$(RECONFIGURE),$(FIRST_CONFIGURE))
config.h: config.mk
	@test -f $@ || { $(RECONFIGURE); }

# Objects are made again when the compiler or its flags change.
FLAGS_TEXT = $(CC) $(BASE_FLAGS) $(OPT_FLAGS) $(KERNEL_FLAGS) $(ISA_avx2) $(ISA_avx512) $(TEST_CFLAGS) $(MODULE_CFLAGS) $(CPPFLAGS)
$B/flags: FORCE
	@mkdir -p $B
	@echo '$(FLAGS_TEXT)' | cmp -s - $@ || echo '$(FLAGS_TEXT)' >$@
.PHONY: FORCE
FORCE:

$B/%.o: %.c $B/flags | config.h
	@mkdir -p $(@D)
	$(call say,CC)
	$Q$(COMPILE) -MMD -MP -c -o $@ $<

# Built-in models: the files of models/builtin go into the library as they are.
BUILTIN_MODELS := $(sort $(wildcard models/builtin/*.safetensors))
$B/builtin.list: FORCE
	@mkdir -p $B
	@echo '$(BUILTIN_MODELS)' | cmp -s - $@ || echo '$(BUILTIN_MODELS)' >$@
$B/models/builtin_data.c: models/embed.sh $(BUILTIN_MODELS) $B/builtin.list
	@mkdir -p $(@D)
	$(call say,GEN)
	$Qsh models/embed.sh $(BUILTIN_MODELS) >$@
$B/models/builtin_data.o: $B/models/builtin_data.c $B/flags | config.h
	$(call say,CC)
	$Q$(COMPILE) -MMD -MP -c -o $@ $<

# The pages of reports are inside this object.
$B/cli/report.o: cli/report.html $(wildcard cli/report_*.js)

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(PROGRAM_OBJ) $(MODULE_OBJ) $(TEST_OBJ) $(BENCH_OBJ) $(QUALITY_OBJ))

# The list of objects is a prerequisite too: a deleted source must leave the library.
$B/lib.list: FORCE
	@mkdir -p $B
	@echo '$(LIB_OBJ)' | cmp -s - $@ || echo '$(LIB_OBJ)' >$@

$(STATIC_LIB): $(LIB_OBJ) $B/lib.list
	@rm -f $@
	$(call say,AR)
	$Q$(AR) rcs $@ $(LIB_OBJ)

$(SHARED_LIB): $(LIB_OBJ) $B/lib.list
	$(call say,LINK)
	$Q$(CC) -shared $(LINK_FLAGS) -Wl,-soname,$(SONAME) $(if $(SANITIZE),,-Wl$(comma)-z$(comma)defs) -o $@ $(LIB_OBJ) $(LIB_LIBS)
	@ln -sf $(SONAME) $B/libresidua.so

$B/residua: $(PROGRAM_OBJ) $(STATIC_LIB)
	$(call say,LINK)
	$Q$(CC) $(LINK_FLAGS) -o $@ $(PROGRAM_OBJ) $(STATIC_LIB) $(PROGRAM_LIBS) $(LIB_LIBS)

# The module brings its own copy of the few base functions it uses, so that it can be opened by the program and by the
# shared library alike; libavformat and its hundred dependencies are loaded only when it is.
$B/residua-av.so: $(MODULE_OBJ) $(STATIC_LIB)
	$(call say,LINK)
	$Q$(CC) -shared $(LINK_FLAGS) -Wl,-z,defs -o $@ $(MODULE_OBJ) $(STATIC_LIB) $(MODULE_LIBS) $(LIB_LIBS)

$(RUNNER): $(TEST_OBJ) $(PROGRAM_REST) $(STATIC_LIB)
	$(if $(filter yes,$(HAVE_CRITERION)),,@echo "make check needs criterion: Debian package libcriterion-dev, then ./configure"; exit 1)
	$(call say,LINK)
	$Q$(CC) $(LINK_FLAGS) -o $@ $(TEST_OBJ) $(PROGRAM_REST) $(STATIC_LIB) $(PROGRAM_LIBS) \
	    $(if $(WITH_PLAIN),$(filter-out -lcriterion,$(TEST_LIBS)),$(TEST_LIBS)) $(LIB_LIBS)

$B/tests/bench/bench: $(BENCH_OBJ) $(TEST_HELPER_OBJ) $(PROGRAM_REST) $(STATIC_LIB)
	$(call say,LINK)
	$Q$(CC) $(LINK_FLAGS) -o $@ $(BENCH_OBJ) $(TEST_HELPER_OBJ) $(PROGRAM_REST) $(STATIC_LIB) $(PROGRAM_LIBS) $(TEST_LIBS) $(LIB_LIBS)

$B/tests/quality/quality: $(QUALITY_OBJ) $(STATIC_LIB)
	$(call say,LINK)
	$Q$(CC) $(LINK_FLAGS) -o $@ $(QUALITY_OBJ) $(STATIC_LIB) $(QUALITY_LIBS) $(LIB_LIBS)

# --- tests ------------------------------------------------------------------------------------------------------------

# Allocations that are refused on purpose must give NULL under the sanitizers too; a leak aborts its test (tests/leaks.c).
SAME_BUILD = make BUILD=$B CC="$(CC)" SANITIZE=$(SANITIZE) WERROR=$(WERROR) EXTRA_CFLAGS="$(EXTRA_CFLAGS)"
RUN_TESTS = RESIDUA_CC='$(CC) $(SANITIZE_FLAGS)' RESIDUA_MAKE='$(SAME_BUILD)' \
            ASAN_OPTIONS=allocator_may_return_null=1:abort_on_error=1:$$ASAN_OPTIONS TSAN_OPTIONS=allocator_may_return_null=1:$$TSAN_OPTIONS \
            RESIDUA_BUILD='$(abspath $B)' RESIDUA_SOURCE='$(CURDIR)' $(RUNNER) $(TEST_ARGS)

.PHONY: check check-long bench quality quality-images fuzz demo check-layers
check: all $(RUNNER)
	$Q$(RUN_TESTS)

check-long: all $(RUNNER)
	$QRESIDUA_LONG=1 $(RUN_TESTS)

bench: all $(if $(BENCH_SRC),$B/tests/bench/bench)
	$(if $(BENCH_SRC),$B/tests/bench/bench $(BENCH_ARGS),@echo "no benchmarks in this tree"; exit 1)

quality: all $(if $(QUALITY_SRC),$B/tests/quality/quality)
	$(if $(QUALITY_SRC),$B/tests/quality/quality $(QUALITY_ARGS),@echo "no quality measurements in this tree"; exit 1)

# Our model of pictures beside others: make quality-images MODEL=FILE.
IMAGES ?= $(or $(RESIDUA_SHARED),../shared)/data/images-val
quality-images: all
	$QBUILD='$(abspath $B)' sh tests/quality/images.sh $(IMAGES) $(MODEL)

# libFuzzer in its own folder, FUZZ_TIME seconds for each target of tests/fuzz/fuzz_*.c; a target writes its own first inputs.
FUZZ_TIME ?= 60
FUZZ_OBJ := $(call objects,$(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c)) tests/codec/tiny_codec.c \
              tests/engine/weights/torch_maker.c tests/codec/rans_cases.c tests/codec/tiny_picture.c cli/token_file.c cli/segment_tokens.c \
              cli/json_cursor.c cli/byte_source.c $(filter trainer/%,$(PROGRAM_SRC)))
FUZZ_RUN = -max_total_time=$(FUZZ_TIME) -timeout=10 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 -artifact_prefix=$$f-

fuzz:
	+$(MAKE) CC=clang BUILD=build-fuzz SANITIZE=fuzzer-no-link,address,undefined fuzz-run

.PHONY: fuzz-run
fuzz-run: $(FUZZ_SRC:%.c=$B/%.run)
	@set -e; for f in $(FUZZ_SRC:%.c=$B/%); do mkdir -p $$f.corpus; $$f.run --make-corpus $$f.corpus; \
	  $$f.run $(FUZZ_RUN) $$f.corpus; done

$B/tests/fuzz/%.run: $B/tests/fuzz/%.o $(FUZZ_OBJ) $(STATIC_LIB)
	$(call say,LINK)
	$Q$(CC) $(subst fuzzer-no-link,fuzzer,$(LINK_FLAGS)) -o $@ $< $(FUZZ_OBJ) $(STATIC_LIB) $(PROGRAM_LIBS) $(LIB_LIBS)

# The same streams from each compiler at -O0 and -O3, and from another processor (emulated, -O0 and -O3).
PORTABLE_HEADERS := $(wildcard codec/*.h engine/base/*.h engine/kernels/*.h models/*.h tests/codec/*.h)
PORTABLE_FLAGS := -std=c11 -D_GNU_SOURCE -I. $(WARN_FLAGS)
PORTABLE_RUNS := $(foreach cc,gcc $(if $(CLANG),clang),$B/tests/portable/$(cc)-O0 $B/tests/portable/$(cc)-O3)
AARCH64_RUNS := $B/tests/portable/aarch64-O0 $B/tests/portable/aarch64-O3

.PHONY: check-portable check-aarch64
check-portable: $(PORTABLE_RUNS)
	$Qset -e; for program in $^; do echo "$$program"; $$program; done

check-aarch64: $(if $(AARCH64_CC),$(if $(QEMU_AARCH64),$(AARCH64_RUNS)))
	$(if $^,,@echo "make check-aarch64 needs Debian packages gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user, then ./configure"; exit 1)
	$Qset -e; for program in $^; do echo "$$program"; $(QEMU_AARCH64) $$program; done

# $1 name, $2 compiler and flags
define portable_program
$B/tests/portable/$1: $(PORTABLE_SRC) $(PORTABLE_HEADERS)
	@mkdir -p $$(@D)
	$$(call say,CC)
	$$Q$2 $(PORTABLE_FLAGS) -o $$@ $(PORTABLE_SRC) -lm
endef
$(foreach o,O0 O3,$(foreach cc,gcc clang,$(eval $(call portable_program,$(cc)-$o,$(cc) -$o))))
$(foreach o,O0 O3,$(eval $(call portable_program,aarch64-$o,$(AARCH64_CC) -static -$o)))

demo: all
	$Qsh samples/demo.sh '$(abspath $B)'

check-layers:
	@sh tests/check-layers.sh

# Needs ./configure --enable-mpi.
.PHONY: check-mpi
check-mpi: all
	$(if $(filter yes,$(HAVE_MPI)),,@echo "make check-mpi needs Debian packages libopenmpi-dev openmpi-bin and ./configure --enable-mpi"; exit 1)
	$Qfolder=$$(mktemp -d) && cd $$folder && SOURCE='$(CURDIR)' PATH='$(abspath $B)':$$PATH sh -u '$(CURDIR)/tests/mpi/mpi.sh' >out; \
	  diff '$(CURDIR)/tests/mpi/mpi.stdout' out && echo 'two processes train as one' && rm -r $$folder

# Speed of two processes beside two threads; needs ./configure --enable-mpi.
.PHONY: bench-mpi
bench-mpi: all
	$(if $(filter yes,$(HAVE_MPI)),,@echo "make bench-mpi needs Debian packages libopenmpi-dev openmpi-bin and ./configure --enable-mpi"; exit 1)
	$Qfolder=$$(mktemp -d) && cd $$folder && SOURCE='$(CURDIR)' PATH='$(abspath $B)':$$PATH sh -u '$(CURDIR)/tests/mpi/speed.sh' && rm -r $$folder

# --- installation -----------------------------------------------------------------------------------------------------

# The installed static library is one object whose internal names are local: it can clash with nobody's.
$B/public/libresidua.a: $(LIB_OBJ) $B/lib.list
	@mkdir -p $(@D)
	$(call say,AR)
	$Q$(RELINK) -o $(@D)/residua.o $(LIB_OBJ)
	$Q$(OBJCOPY) --localize-hidden $(@D)/residua.o
	@rm -f $@
	$Q$(AR) rcs $@ $(@D)/residua.o

PC_VALUES = -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' -e 's|@libdir@|$(libdir)|' \
            -e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|' -e 's|@libs@|$(LIB_LIBS)|'
$B/residua.pc: codec/residua.pc.in FORCE
	@mkdir -p $B
	$Qsed $(PC_VALUES) codec/residua.pc.in >$@

INSTALL ?= install
INSTALL_DATA := $(INSTALL) -m 644
HEADERS := codec/residua.h:residua.h engine/base/status.h:engine/base/status.h

# Made by `residua help --man` and `residua help --bash`; tests/cli/manual.sh sees that they are what the program prints.
MANUAL := $(if $(PROGRAM),docs/residua.1)
COMPLETION := $(if $(PROGRAM),docs/completion/residua.bash)

# What `residua train` finds under the names that they have here.
CONFIGS := $(if $(PROGRAM),$(sort $(wildcard models/*.ini) samples/train-tiny.ini))

# Every file that is installed, as folder:name, for uninstall.
INSTALLED = $(if $(PROGRAM),$(bindir)/residua) $(libdir)/libresidua.a $(libdir)/libresidua.so.$(VERSION) $(libdir)/$(SONAME) \
            $(libdir)/libresidua.so $(libdir)/pkgconfig/residua.pc $(if $(MODULE),$(libdir)/residua/residua-av.so) \
            $(foreach h,$(HEADERS),$(includedir)/residua/$(word 2,$(subst :, ,$h))) \
            $(if $(MANUAL),$(mandir)/man1/residua.1) \
            $(if $(COMPLETION),$(datadir)/bash-completion/completions/residua) $(addprefix $(datadir)/residua/,$(CONFIGS))

ALL_DIRS = $(DESTDIR)$(prefix)$(exec_prefix)$(bindir)$(libdir)$(includedir)$(datadir)$(mandir)
ifneq ($(filter install uninstall,$(MAKECMDGOALS)),)
$(if $(word 2,x$(ALL_DIRS)x),$(error nothing is installed or removed: a directory with a space in its name cannot be used here))
endif

# The loader finds a new library after ldconfig alone, which is root's; packages do it themselves.
TELL_LOADER = [ "$$(id -u)" -ne 0 ] || ldconfig || true

.PHONY: install uninstall dist format
install: all $B/public/libresidua.a $B/residua.pc
	$(INSTALL) -d $(sort $(dir $(addprefix $(DESTDIR),$(INSTALLED))))
	$(if $(PROGRAM),$(INSTALL) -m 755 $(PROGRAM) $(DESTDIR)$(bindir)/residua)
	$(INSTALL_DATA) $B/public/libresidua.a $(DESTDIR)$(libdir)/libresidua.a
	$(INSTALL) -m 755 $(SHARED_LIB) $(DESTDIR)$(libdir)/libresidua.so.$(VERSION)
	ln -sf libresidua.so.$(VERSION) $(DESTDIR)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(libdir)/libresidua.so
	$(if $(MODULE),$(INSTALL) -m 755 $(MODULE) $(DESTDIR)$(libdir)/residua/residua-av.so)
	$(INSTALL_DATA) $B/residua.pc $(DESTDIR)$(libdir)/pkgconfig/residua.pc
	$(foreach h,$(HEADERS),$(INSTALL_DATA) $(subst :, $(DESTDIR)$(includedir)/residua/,$h) &&) true
	$(if $(MANUAL),$(INSTALL_DATA) $(MANUAL) $(DESTDIR)$(mandir)/man1/residua.1)
	$(if $(COMPLETION),$(INSTALL_DATA) $(COMPLETION) $(DESTDIR)$(datadir)/bash-completion/completions/residua)
	$(foreach c,$(CONFIGS),$(INSTALL_DATA) $c $(DESTDIR)$(datadir)/residua/$c &&) true
	$(if $(DESTDIR),,$(TELL_LOADER))

# Folders that only residua uses go when they are empty.
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	-rmdir $(addprefix $(DESTDIR),$(libdir)/residua $(includedir)/residua/engine/base $(includedir)/residua/engine \
	    $(includedir)/residua $(datadir)/residua/models $(datadir)/residua/samples $(datadir)/residua)

# A source archive of the committed tree, the same bytes for the same commit.
DIST_VERSION := $(shell sed -n 's/^.define RSD_VERSION "\(.*\)"/\1/p' codec/residua.h)
dist:
	git archive --format=tar --prefix=residua-$(DIST_VERSION)/ HEAD | gzip -n -9 >residua-$(DIST_VERSION).tar.gz
	@echo residua-$(DIST_VERSION).tar.gz

format:
	$(if $(CLANG_FORMAT),,@echo "make format needs clang-format: Debian package clang-format, then ./configure"; exit 1)
	$(CLANG_FORMAT) -i $(wildcard $(addsuffix /*.[ch],cli codec engine engine/* engine/kernels/* losses media media/libav models \
	    samples tests tests/* tests/*/* trainer))

# --- housekeeping -----------------------------------------------------------------------------------------------------

.PHONY: clean distclean help
clean:
	rm -rf $B

distclean:
	rm -rf build build-* config.mk config.h

help:
	@echo 'make              libraries, the residua program and its media module, in $B'
	@echo 'make demo         install what is missing, build, encode and decode real speech, print the figures (RECORDING=talk.mp3: yours)'
	@echo 'make check        install what is missing, build, run every test (TEST_ARGS="--filter suite/*" for some)'
	@echo 'make check-long   the same with the long variants'
	@echo 'make bench        time the kernels, the ops, a training step and the codec'
	@echo 'make fuzz         feed the readers mutated input, FUZZ_TIME seconds each (clang)'
	@echo 'make quality      measure the built-in models against other codecs'
	@echo 'make quality-images  the same for pictures; MODEL=FILE IMAGES=FOLDER IMAGES_ARGS="--effort 8"'
	@echo 'make check-portable, make check-aarch64   what must have the same bits, from each compiler and on an emulated processor'
	@echo 'make check-mpi    train by two processes (./configure --enable-mpi); make bench-mpi compares their speed with two threads'
	@echo 'make check-layers print includes that cross the layers of docs/house-style.md'
	@echo 'make install      DESTDIR= prefix= ...: program, libraries, header, residua.pc, manual; make uninstall removes them'
	@echo 'make dist         residua-VERSION.tar.gz of the committed tree; make format applies .clang-format'
	@echo 'make clean        remove $B; distclean also removes what ./configure wrote'
	@echo 'Variables: V=1 CC= BUILD=dir WERROR=1 SANITIZE=address,undefined|thread'
