package dlp

// WorstTexts makes the texts that Probe scans, of another size.
func WorstTexts(d Detector, n int) [][]byte { return worst(d, n) }
