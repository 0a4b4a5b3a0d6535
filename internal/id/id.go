// Package id makes the identifiers of Outband: drawn ones for what people make, computed ones for what scans find (invariant 2).
package id

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash"
)

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// New draws an id: prefix and 26 characters from 16 random bytes.
func New(prefix string) string {
	var b [16]byte
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(b[:])
	return prefix + encoding.EncodeToString(b[:])
}

// Computed returns prefix + base32(HMAC-SHA256(key, domain ‖ length-prefixed fields)[:16]).
func Computed(key []byte, prefix, domain string, fields ...string) string {
	sum := Sum(key, domain, fields...)
	return prefix + encoding.EncodeToString(sum[:16])
}

// Sum is the keyed digest behind Computed.
func Sum(key []byte, domain string, fields ...string) [sha256.Size]byte {
	return NewSummer(key).Sum(domain, fields...)
}

// Summer computes many digests with one key. It is not safe for concurrent use.
type Summer struct {
	mac hash.Hash
	buf []byte
}

// NewSummer returns a Summer for the key.
func NewSummer(key []byte) *Summer { return &Summer{mac: hmac.New(sha256.New, key)} }

// Sum returns what the function Sum does.
func (s *Summer) Sum(domain string, fields ...string) (sum [sha256.Size]byte) {
	s.buf = appendField(s.buf[:0], domain)
	for _, f := range fields {
		s.buf = appendField(s.buf, f)
	}
	s.mac.Reset()
	s.mac.Write(s.buf)
	clear(s.buf) // It may hold a value.
	s.mac.Sum(sum[:0])
	return sum
}

func appendField(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}
