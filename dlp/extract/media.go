package extract

var mediaFormats = []format{}
