package extract

var pdfFormats = []format{}
