// Package id makes the identifiers of Outband: drawn ones for what people make, computed ones for what scans find (invariant 2).
package id

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
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
	mac := hmac.New(sha256.New, key)
	write := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		mac.Write(n[:])
		mac.Write([]byte(s))
	}
	write(domain)
	for _, f := range fields {
		write(f)
	}
	return [sha256.Size]byte(mac.Sum(nil))
}
