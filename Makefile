# Names for the common commands; CMakeLists.txt and CMakePresets.json do the work.

.DEFAULT_GOAL := help
.PHONY: help setup build run cluster test sim plants soak mesh asan tsan fuzz bench format clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## install the Debian packages that building needs
	scripts/setup.sh build

build: setup ## fetch third parties, build build/bin/phalanx-server and build/bin/phalanx
	third_party/fetch.sh
	cmake --preset release
	cmake --build --preset release

run: build ## start one node, put and get a key, keep it running until Ctrl-C
	scripts/run.sh

cluster: build ## the same with five nodes as one cluster
	scripts/cluster.sh

test: build ## run every test on the release build
	scripts/setup.sh test
	ctest --test-dir build --output-on-failure -j2

sim: build ## simulate 10,000 clusters, a seed each, with all kinds of faults
	build/bin/phalanx-sim --seeds 1..10000 --jobs 2
	build/bin/founding-sim --seeds 1..10000
	build/bin/gossip-sim --seeds 1..10000
	build/bin/gossip-sim --calm 10 --seeds 1..50

plants: build ## see that tests, and how soon simulations, catch each planted bug
	test/planted/plants.sh build 2000

soak: build ## the long runs: crashes, kills at a sync, power cuts, twenty clusters of five
	scripts/setup.sh test
	PHALANX_ROUNDS=200 /usr/bin/python3 test/integration/crash_test.py
	PHALANX_ROUNDS=50 /usr/bin/python3 test/integration/powercut_test.py
	PHALANX_ROUNDS=500 /usr/bin/python3 test/integration/pause_test.py
	/usr/bin/python3 test/integration/soak.py --runs 20 --seconds 300

mesh: build ## ten rounds of chaos in five emulated regions; needs root
	scripts/setup.sh test
	scripts/chaos.sh --driver mesh --rounds 10

asan: setup ## build and test with AddressSanitizer and UndefinedBehaviorSanitizer
	cmake --workflow --preset asan

tsan: setup ## build and test with ThreadSanitizer
	cmake --workflow --preset tsan

fuzz: setup ## build and run each fuzz target for ten seconds
	scripts/setup.sh fuzz
	cmake --workflow --preset fuzz

bench: build ## measure the release build, beside etcd where it is installed
	test/bench/run.sh

format: ## format all C files
	test/format_test.sh --write

clean: ## remove what was built; fetched third parties stay
	rm -rf build
