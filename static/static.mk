# The web page's files in the binary: $(B)/gen/assets.c. `make` bundles static/src with npm when it is
# there; without npm the page says how to get it. Included by the Makefile.
$(B)/gen/assets.c: tools/embed.sh static/stub.html
	@mkdir -p $(@D)
	$(Q)tools/embed.sh static >$@.new && mv $@.new $@
