package config

import (
	"fmt"
	"strings"
)

// Example returns a settings file for the documentation: every key of this version with its default, commented out.
func Example() string {
	var b strings.Builder
	b.WriteString("# Settings of Outband. Each can also be set by the environment, with OUTBAND_ before the key in capitals: OUTBAND_LOG_LEVEL.\n")
	above := ""
	for _, k := range keys {
		name, indent := k.name, ""
		if sec, rest, ok := strings.Cut(k.name, "."); ok {
			if sec != above {
				fmt.Fprintf(&b, "\n# %s:\n", sec)
			}
			above, name, indent = sec, rest, "  "
		} else {
			above = ""
			b.WriteString("\n")
		}
		value := k.initial
		switch {
		case k.list:
			value = "[]"
		case value == "":
			value = `""`
		}
		fmt.Fprintf(&b, "# %s# %s\n# %s%s: %s\n", indent, k.doc, indent, name, value)
	}
	return b.String()
}
