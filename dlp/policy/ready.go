package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"sync"

	"github.com/outband/outband/dlp"
)

// ready keeps the program of a built-in policy from one Compile to the next. All policies are compiled again whenever one of them, an override or a
// profile changes, and the built-in ones, nearly all, stay what they are.
type ready struct {
	of        *Policy // a copy of it may say something else
	mu        sync.Mutex
	program   *program // nil: not compiled yet, or what was tried did not pass
	detectors string   // digest of those that its globs were held to
}

// serves reports whether compiling again would make the same program: the same detectors are known, and the profiles that it asks for decide the same.
func (r *ready) serves(detectors string, profiles []dlp.Profile) bool {
	if r.program == nil || r.detectors != detectors {
		return false
	}
	for id, digest := range r.program.digests() {
		if now := chosen(profiles, id); now == nil || now.Digest() != digest {
			return false
		}
	}
	return true
}

// tested compiles a policy and runs its tests, or returns what was made of it before. ids is digestOf(detectors).
func (p *Policy) tested(detectors []string, ids string, profiles []dlp.Profile) (*program, error) {
	kept := p.ready
	if kept == nil || kept.of != p {
		kept = &ready{} // Of this one nothing is kept.
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if kept.serves(ids, profiles) {
		return kept.program, nil
	}
	prog, err := compileAll(p, detectors, profiles)
	if err == nil {
		err = red(p, runTests(prog))
	}
	if err != nil {
		return nil, err
	}
	kept.program, kept.detectors = prog, ids
	return prog, nil
}

// digestOf tells lists of ids apart, and nil, which holds globs to nothing, from each of them.
func digestOf(detectors []string) string {
	if detectors == nil {
		return ""
	}
	h := sha256.New()
	for _, id := range detectors {
		_, _ = io.WriteString(h, id+"\n") // A hash takes all that it is given.
	}
	return hex.EncodeToString(h.Sum(nil))
}
