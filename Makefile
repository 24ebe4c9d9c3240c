# Thin: what a person types.  The build itself is meson's.
.PHONY: build run test torture bench fuzz lint deps install clean
BUILD ?= build

build: deps
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) --buildtype=release >/dev/null
	@ninja -C $(BUILD) --quiet

# The story, on this machine: see README.md.  ONCE=1 stops after it.
run: build
	@BUILD=$(BUILD) ONCE=$(ONCE) scripts/story.sh

test:
	@scripts/deps.sh test
	@python3 tests/run.py

torture:
	@scripts/deps.sh test
	@python3 tests/run.py --torture

bench: build
	@scripts/deps.sh test
	@BUILD=$(BUILD) bench/run.sh

fuzz:
	@scripts/deps.sh test
	@tests/fuzz/run.sh

lint:
	@python3 tests/lint.py

deps:
	@scripts/deps.sh

install: build
	@meson install -C $(BUILD) --quiet

clean:
	rm -rf $(BUILD) build-test build-clang build-fuzz var
