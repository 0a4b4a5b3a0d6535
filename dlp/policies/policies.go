// Package policies holds the files of the built-in policies, one policy in each, named after its id. dlp/policy reads them.
package policies

import "embed"

// Files has the files at its root.
//
//go:embed *.yaml
var Files embed.FS
