package extract

// pictures reads the images of a page that has no text, or notes that they were not read.
func (p *pdfFile) pictures(c *pdfContent, at Location) error {
	big := c.pixels
	for _, s := range c.images {
		w, h := pdfInt(p.resolve(s.dict["Width"]), 0), pdfInt(p.resolve(s.dict["Height"]), 0)
		big = big || w*h >= 3000 // Smaller ones hold no word.
	}
	if big {
		p.imaged = true
	}
	return nil
}
