# Short names for ./dev, which does the work and needs no make.
.PHONY: check lint test bench nightly constraints reference release-notes

check:
	./dev check

lint:
	./dev lint

test:
	./dev test

bench:
	./dev bench

nightly:
	./dev nightly

# The command line's reference and man page, from the commands themselves.
reference:
	python scripts/write_reference.py

# Contents and licences of what is installed, and the newest section of the changelog, into dist/.
release-notes:
	python scripts/write_release.py

# Host-free pins for every supported Python; review the diff, and bump ccxt alone.
constraints:
	uv pip compile --universal --python-version 3.11 --all-extras --upgrade --no-annotate --no-header --no-emit-index-url pyproject.toml -o constraints.txt
