package extract

var imageFormats = []format{}
