package extract

var archiveFormats = []format{}
