package extract

var compoundFormats = []format{}
