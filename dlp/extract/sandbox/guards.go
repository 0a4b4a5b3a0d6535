package sandbox

// Guards are what holds a child, as far as the host allows it. A child tells it after it gave up its rights, before it sees any byte of a file.
type Guards struct {
	Memory     bool `json:"memory"`      // limit of memory (RLIMIT_DATA)
	CPU        bool `json:"cpu"`         // limit of processor time of each file (RLIMIT_CPU)
	FileSize   bool `json:"file_size"`   // no file can grow (RLIMIT_FSIZE)
	Core       bool `json:"core"`        // no core dump (RLIMIT_CORE)
	OpenFiles  bool `json:"open_files"`  // few file descriptors (RLIMIT_NOFILE), none inherited but three pipes
	Folder     bool `json:"folder"`      // working directory is /
	NewPrivs   bool `json:"new_privs"`   // no program gives it more rights (PR_SET_NO_NEW_PRIVS)
	Traced     bool `json:"traced"`      // nothing of the same user reads its memory (PR_SET_DUMPABLE)
	ParentDies bool `json:"parent_dies"` // it ends with its parent, whatever it does (PR_SET_PDEATHSIG)
	Files      bool `json:"files"`       // Landlock: no file opens; with OCR those of Tesseract only, to be read
	Network    bool `json:"network"`     // Landlock: no TCP
	Calls      bool `json:"calls"`       // seccomp: an allow-list of system calls, without sockets, files or programs; with OCR a laxer one
	Isolated   bool `json:"isolated"`    // user, network, process and IPC namespaces of its own. Told by the parent
}

// Missing names what does not hold.
func (g Guards) Missing() []string {
	var out []string
	for _, v := range []struct {
		name string
		held bool
	}{
		{"memory", g.Memory}, {"cpu", g.CPU}, {"file_size", g.FileSize}, {"core", g.Core}, {"open_files", g.OpenFiles}, {"folder", g.Folder},
		{"new_privs", g.NewPrivs}, {"traced", g.Traced}, {"parent_dies", g.ParentDies}, {"files", g.Files}, {"network", g.Network}, {"calls", g.Calls},
		{"isolated", g.Isolated},
	} {
		if !v.held {
			out = append(out, v.name)
		}
	}
	return out
}
