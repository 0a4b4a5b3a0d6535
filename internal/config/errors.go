package config

// Codes of errors in the settings; docs/operating.md has a line for each, and a code never changes its meaning.
const (
	CodeFile     = "OB-1010" // the file cannot be read or is not YAML
	CodeUnknown  = "OB-1011" // a key or variable that does not exist
	CodeForm     = "OB-1012" // a value of the wrong form
	CodeSecret   = "OB-1013" // a secret on the command line
	CodeNetwork  = "OB-1014" // not a network
	CodeAddress  = "OB-1015" // not host:port
	CodeExposed  = "OB-1016" // would listen beyond loopback without protection
	CodeTLS      = "OB-1017" // half a certificate
	CodeChoice   = "OB-1018" // not one of the words allowed
	CodeURL      = "OB-1019" // not an address of a page
	CodeRequired = "OB-1021" // empty, but needed
	CodeTogether = "OB-1022" // settings that need each other, or exclude each other
	CodeRole     = "OB-1023" // a role without the servers that its processes share
	CodeRead     = "OB-1024" // a file that a setting names cannot be read
)

// Error is one thing that is wrong with the settings. It never holds the value of a secret.
type Error struct {
	Code    string
	Key     string // empty for the file as a whole
	Origin  string // where the value came from, e.g. "environment OUTBAND_LISTEN"
	Message string // a sentence that says what to do
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Code + ": "
	if e.Key != "" {
		s += e.Key
		if e.Origin != "" {
			s += " (" + e.Origin + ")"
		}
		s += ": "
	}
	return s + e.Message
}
