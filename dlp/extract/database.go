package extract

var databaseFormats = []format{}
