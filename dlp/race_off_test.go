//go:build !race

package dlp_test

const raceEnabled = false
