package dlp

// WorstTexts makes the texts that Stock.Cost scans, of another size.
func WorstTexts(d Detector, n int) [][]byte { return worst(d, n) }

// LeastRate is what a custom detector must manage at least, in bytes in a second of one core of this machine.
func LeastRate() (float64, error) {
	took, err := plainTime()
	return probeText / (probeTimes * took.Seconds()), err
}
