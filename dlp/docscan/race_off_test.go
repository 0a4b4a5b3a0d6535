//go:build !race

package docscan_test

const raceEnabled = false
