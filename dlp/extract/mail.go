package extract

var mailFormats = []format{}
