package extract

import "strings"

// noClaims are declared types that say nothing of the content.
var noClaims = set(`application/octet-stream binary/octet-stream application/x-download application/force-download application/download
	application/unknown application/x-unknown multipart/form-data`)

// otherNames are names of types that package mimetype does not know, and what it calls them.
var otherNames = map[string]string{
	"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png", "image/tif": "image/tiff", "application/x-compressed": "application/zip",
	"multipart/x-zip": "application/zip", "application/x-7z": "application/x-7z-compressed", "application/vnd.ms-word.document.macroenabled.12": docxType,
	"application/vnd.ms-excel.sheet.macroenabled.12": xlsxType, "application/vnd.ms-powerpoint.presentation.macroenabled.12": pptxType,
	"application/x-zstd": "application/zstd", "application/x-bzip": "application/x-bzip2", "application/x-gtar": "application/x-tar",
	"application/acrobat": "application/pdf", "text/pdf": "application/pdf",
}

// textTypes are types of text beside text/*, +xml and +json, and those that package mimetype knows as such.
var textTypes = set(`application/csv application/xml application/json application/javascript application/ecmascript application/typescript application/x-typescript
	application/yaml application/x-yaml application/toml application/sql application/x-sql application/x-sh application/x-csh application/x-httpd-php
	application/x-php application/x-perl application/graphql application/x-tex application/x-latex application/jsonl application/x-jsonlines
	application/json-lines application/x-ndjson application/x-ipynb+json application/rtf application/x-rtf application/xml-dtd application/json5 application/x-sas
	application/x-powershell application/x-wine-extension-ini application/x-pem-file application/x-x509-ca-cert application/pgp-keys application/pgp-signature
	application/postscript application/x-subrip application/x-tcl application/x-ruby application/x-python application/x-httpd-php-source application/mbox
	application/vnd.apple.mpegurl application/x-mpegurl application/x-setupscript`)

// textEndings are those of names of text. Those that are used for other files too, such as .key, .bin and .ts, are not here.
var textEndings = set(`.txt .text .log .csv .tsv .tab .psv .json .jsonl .ndjson .json5 .geojson .har .yaml .yml .toml .ini .cfg .conf .properties .env .xml .xsd .xsl .xslt
	.svg .html .htm .xhtml .shtml .md .markdown .mdx .rst .adoc .tex .bib .org .py .pyw .ipynb .js .mjs .cjs .jsx .tsx .java .kt .kts .scala .groovy .gradle .go
	.rs .c .h .cc .cpp .cxx .hpp .hh .cs .fs .vb .vbs .bas .swift .m .mm .rb .php .pl .pm .lua .r .jl .sh .bash .zsh .fish .ksh .bat .cmd .ps1 .psm1 .sql .graphql
	.proto .tf .tfvars .hcl .css .scss .sass .less .vue .svelte .rtf .srt .vtt .vcf .ics .gpx .diff .patch .asm .s .erl .ex .exs .hs .clj .dart .tcl .awk .sed
	.cmake .dockerfile .makefile .mk .eml .mbox .ldif .reg .inf .url .po .pot .strings .opml .rss .atom .warc`)

const (
	docxType = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	pptxType = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
)

// endings are those of names that stand for something else than text, and the types that such a file may have.
var endings = map[string][]string{
	".pdf": {"application/pdf"}, ".ps": {"application/postscript", "text/plain"}, ".eps": {"application/postscript", "text/plain"},
	".zip": {"application/zip"}, ".jar": {"application/zip"}, ".apk": {"application/zip"}, ".epub": {"application/zip"},
	".docx": {docxType}, ".docm": {docxType}, ".dotx": {docxType}, ".dotm": {docxType},
	".xlsx": {xlsxType}, ".xlsm": {xlsxType}, ".xltx": {xlsxType}, ".xltm": {xlsxType}, ".xlsb": {"application/vnd.ms-excel.sheet.binary.macroenabled.12", xlsxType},
	".pptx": {pptxType}, ".pptm": {pptxType}, ".potx": {pptxType}, ".ppsx": {pptxType}, ".ppsm": {pptxType}, ".potm": {pptxType},
	".doc": {"application/msword", "application/x-ole-storage"}, ".dot": {"application/msword", "application/x-ole-storage", "text/plain"},
	".xls": {"application/vnd.ms-excel", "application/x-ole-storage"}, ".xlt": {"application/vnd.ms-excel", "application/x-ole-storage"},
	".ppt": {"application/vnd.ms-powerpoint", "application/x-ole-storage"}, ".pps": {"application/vnd.ms-powerpoint", "application/x-ole-storage"},
	".msg": {"application/vnd.ms-outlook", "application/x-ole-storage"},
	".odt": {"application/vnd.oasis.opendocument.text"}, ".ott": {"application/vnd.oasis.opendocument.text"},
	".ods": {"application/vnd.oasis.opendocument.spreadsheet"}, ".ots": {"application/vnd.oasis.opendocument.spreadsheet"},
	".odp": {"application/vnd.oasis.opendocument.presentation"}, ".otp": {"application/vnd.oasis.opendocument.presentation"},
	".odg": {"application/vnd.oasis.opendocument.graphics"},
	".tar": {"application/x-tar"}, ".gz": {"application/gzip"}, ".tgz": {"application/gzip"}, ".bz2": {"application/x-bzip2"}, ".tbz2": {"application/x-bzip2"},
	".xz": {"application/x-xz"}, ".txz": {"application/x-xz"}, ".zst": {"application/zstd"}, ".7z": {"application/x-7z-compressed"}, ".rar": {"application/vnd.rar"},
	".sqlite": {"application/vnd.sqlite3"}, ".sqlite3": {"application/vnd.sqlite3"}, ".db3": {"application/vnd.sqlite3"},
	".png": {"image/png"}, ".jpg": {"image/jpeg"}, ".jpeg": {"image/jpeg"}, ".gif": {"image/gif"}, ".webp": {"image/webp"}, ".bmp": {"image/bmp"},
	".tif": {"image/tiff"}, ".tiff": {"image/tiff"}, ".heic": {"image/heic", "image/heif"}, ".ico": {"image/x-icon"}, ".psd": {"image/vnd.adobe.photoshop"},
	".mp3": {"audio/mpeg"}, ".wav": {"audio/wav"}, ".flac": {"audio/flac"}, ".ogg": {"application/ogg"}, ".m4a": {"audio/x-m4a", "audio/mp4", "video/mp4"},
	".mp4": {"video/mp4", "audio/x-m4a", "video/x-m4v", "audio/mp4", "video/3gpp"}, ".m4v": {"video/x-m4v", "video/mp4"}, ".mov": {"video/quicktime", "video/mp4"},
	".avi": {"video/x-msvideo"}, ".mkv": {"video/matroska", "video/webm"}, ".webm": {"video/webm", "video/matroska"}, ".wmv": {"video/x-ms-asf"},
	".exe": {"application/vnd.microsoft.portable-executable"}, ".dll": {"application/vnd.microsoft.portable-executable"}, ".wasm": {"application/wasm"},
	".class": {"application/x-java-applet"}, ".parquet": {"application/vnd.apache.parquet"},
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
