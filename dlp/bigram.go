package dlp

import (
	"math"
	"math/bits"
	"strings"
)

// bigrams tells how often two characters follow each other in English and German prose, documentation and source code: a line for each first one and in it
// a character for each second one, by their last five bits, as the prefilter sees them. Its value in base 36 is 1.4 times the binary logarithm of how
// often they do in 16 Mi of such pairs, counted over the sources, pages and simulated chats of this repository.
const bigrams = "" +
	"qonnmnnlmollmmnnmknookkmhhmnmmij" +
	"mekmleilekeimloflcmmojhhhjecakce" +
	"kljjhlhigkkgnikligjjjjfgfjjfejfd" +
	"kmgidmedmidkkhjoedjinjabahebdd7e" +
	"nkkfineikmhfkikkeeikfhdcbijhdiei" +
	"pmkmnjkikkjgmloikjpongkjmkkhejdi" +
	"nkfgcjkfjmebhhiledjfilacdececd89" +
	"ljhfdmegjkgdjfkkebjkghccccgjcicg" +
	"lmlkioihimigihilhgjjligheffhaede" +
	"njkmmlmkfpmhnlpmjemnoglhhaikbmag" +
	"mgfifijdepldehdkfcgjjfff9ccajk6b" +
	"kggecmgfgkffgejeeedidedbaaedafcd" +
	"qlhckngeimkeleilhadjjjec9igfagcg" +
	"lmjggmefgkfeijjkkhgjiidebdfegdcc" +
	"omknnnknlmljkjmmkgkmnkiicijgdheh" +
	"mikklhlihiijllomkdoklmjlfdeebdfe" +
	"kmhehmdfhkgclekllhljjiedfghhbhcf" +
	"iahb9cabbgeahffgihhefkedeefbbh7b" +
	"nlijkojjjnijkimnidnmlkjfdkhgbhch" +
	"okkkdnegllhilgmljggloiejbhkjdg9h" +
	"omkjgohhooiflimnjemmkmghkkjichei" +
	"ghiijlffchbbjjmdjcmlmefbecd66c6a" +
	"hkgb9m9bdkb9ffgffhdchccebbc99dc9" +
	"jkgecjcclkdcgdkkdciicdcfdaed9e7c" +
	"iggfafdcfhdajeicicddlccceedbae5c" +
	"mgifbfcfgifdifjgjcejiccecehgagbg" +
	"ngjeahbcbdi6bcchgecbccabdbdeem07" +
	"lfkhffffehngffhehggigededaefck80" +
	"mcecebbcccj8cghhdbdfgd8bc568jeb8" +
	"ogjeccdcgknckcgdcccidca987ejekha" +
	"i8bc9989cai79e98648a8678735dbfb3" +
	"higgggfdcibgiffegeghggdcb8c8696d"

// bigramScale is what the logarithms are multiplied with.
const bigramScale = 1.4

// oneGrams are the same for a single character.
var oneGrams = func() (out [32]int) {
	for a := range out {
		sum := 0.0
		for b := range 32 {
			sum += math.Exp2(float64(bigram(byte(a), byte(b))) / bigramScale)
		}
		out[a] = int(math.Log2(sum)*bigramScale + 0.5)
	}
	return out
}()

func bigram(a, b byte) int {
	c := bigrams[int(a&31)*32+int(b&31)]
	if c <= '9' {
		return int(c - '0')
	}
	return int(c-'a') + 10
}

// rarest returns where the rarest two neighbouring quads of a string of at least five bytes start, by what is likely to follow what. Four bytes that many
// keywords hold are of common words, such as "secr" and "clie".
func rarest(s string, held map[uint32]int) int {
	low := strings.ToLower(s)
	often := func(i int) float64 {
		a, b, c, d := low[i], low[i+1], low[i+2], low[i+3]
		n := bigram(a, b) + bigram(b, c) + bigram(c, d) - oneGrams[b&31] - oneGrams[c&31] + 3*bits.Len(uint(held[quad(low[i:])]))
		return math.Exp2(float64(n) / bigramScale)
	}
	best, at := math.Inf(1), 0
	for i := 0; i+5 <= len(low); i++ {
		if n := often(i) + often(i+1); n < best {
			best, at = n, i
		}
	}
	return at
}
