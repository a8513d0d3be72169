# The web page's files in the binary: $(B)/gen/assets.c. With npm, static/src is checked and bundled into
# static/dist; without it the page served is stub.html, which says how to get the real one.
UI_SRC := $(shell find static/src -type f 2>/dev/null)
HAVE_NPM := $(shell command -v npm 2>/dev/null)

ifneq ($(and $(HAVE_NPM),$(UI_SRC)),)
UI_DEPS := static/dist/index.html
static/node_modules/.package-lock.json: static/package.json static/package-lock.json
	$(call say,NPM static)
	$(Q)cd static && npm ci --ignore-scripts --no-progress --loglevel=error >&2
	@touch $@
static/dist/index.html: static/node_modules/.package-lock.json static/build.mjs static/tsconfig.json $(UI_SRC)
	$(call say,UI $@)
	$(Q)cd static && npm run --silent check && npm run --silent build
else
UI_DEPS := static/stub.html
endif

$(B)/gen/assets.c: tools/embed.sh $(UI_DEPS)
	@mkdir -p $(@D)
	$(Q)tools/embed.sh static >$@.new && mv $@.new $@
