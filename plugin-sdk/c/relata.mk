# How a plugin in C is built. A plugin's Makefile says three things and
# includes this:
#
#     NAME = enrich
#     SOURCES = src/plugin.c
#     SDK = sdk/c
#     include $(SDK)/relata.mk
#
# `make` leaves a core WebAssembly module at build/$(NAME).wasm, which
# `relata plugin build` makes a component. What may be set besides: CFLAGS,
# LDFLAGS, and another clang with a C library for WASI as RELATA_CC and
# RELATA_TARGET (newer ones say wasm32-wasip1).

RELATA_CC ?= clang-22
RELATA_TARGET ?= wasm32-wasi

ifeq ($(shell command -v $(RELATA_CC)),)
$(error there is no `$(RELATA_CC)`. On Debian: apt-get install clang-22 lld-22 wasi-libc \
	libclang-rt-22-dev-wasm32. Elsewhere RELATA_CC names a clang that can build for WASI)
endif

# Flags in the environment are meant for another machine than WebAssembly.
ifneq ($(origin CFLAGS),file)
CFLAGS = -O2 -Wall -Wextra
endif
ifneq ($(origin LDFLAGS),file)
LDFLAGS =
endif

# Newer clangs warn about the target's older name, which is the one that Debian
# has the C library under.
RELATA_MACHINE = --target=$(RELATA_TARGET) -Wno-deprecated

# Undefined behaviour traps. Without that a null pointer would be an address
# like another: WebAssembly has memory there.
RELATA_FLAGS = $(RELATA_MACHINE) -std=gnu11 -I$(SDK) -MMD -MP \
	-ffunction-sections -fdata-sections \
	-fsanitize=undefined -fsanitize-trap=undefined

# What the plugin does not call is left out: with it go imports that it would
# need a permission for. The stack lies lowest, so that one that overflows
# traps instead of running into data.
RELATA_LINK = $(RELATA_MACHINE) -mexec-model=reactor -fuse-ld=lld \
	-Wl,--gc-sections -Wl,--stack-first -Wl,-z,stack-size=262144 -Wl,--strip-debug

RELATA_SDK = $(patsubst $(SDK)/%,build/sdk/%.o,$(wildcard $(SDK)/src/*.c $(SDK)/generated/*.[cs]))
RELATA_OWN = $(patsubst %,build/own/%.o,$(SOURCES))

.PHONY: all clean
all: build/$(NAME).wasm

build/$(NAME).wasm: $(RELATA_OWN) $(RELATA_SDK)
	@$(RELATA_CC) $(RELATA_LINK) $(LDFLAGS) -o $@.new $^
	@foreign=$$(LC_ALL=C tr -cs 'a-z0-9_' '\n' < $@.new | grep -xA1 wasi_snapshot_preview1 | \
		grep -vx -e wasi_snapshot_preview1 -e --); \
	if [ -n "$$foreign" ]; then \
		echo "$(NAME) uses functions of the C library that a plugin cannot have, such as those for" \
			"files and for sleeping. They end in:" $$foreign; \
		echo "Which functions they are: make LDFLAGS=-Wl,--why-extract=- | grep build/own"; \
		rm $@.new; \
		exit 1; \
	fi >&2
	@mv $@.new $@

# The objects depend on the Makefiles, which may have other flags than before.
build/own/%.o: % $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(RELATA_CC) $(RELATA_FLAGS) $(CFLAGS) -c -o $@ $<

# The author's flags are for the author's code.
build/sdk/%.o: $(SDK)/% $(SDK)/relata.mk
	@mkdir -p $(@D)
	@$(RELATA_CC) $(RELATA_FLAGS) -O2 -c -o $@ $<

build/sdk/%.s.o: $(SDK)/%.s
	@mkdir -p $(@D)
	@$(RELATA_CC) $(RELATA_MACHINE) -c -o $@ $<

clean:
	rm -rf build

-include $(RELATA_OWN:.o=.d) $(RELATA_SDK:.o=.d)
