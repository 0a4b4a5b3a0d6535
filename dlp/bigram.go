package dlp

import (
	"math"
	"math/bits"
	"strings"
	"sync"
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

// unexpected tells how seldom a character follows another one, as the scaled logarithm of one part in so many.
func unexpected(a, b byte) int { return oneGrams[a&31] - bigram(a, b) }

// common are words of offices and of programs, whose quads are no good to look for: bigrams know nothing of words.
const common = " about access account action active add address after again agent all also amount and another any api app application are array as assistant " +
	"async at await back base be because been before below between block body bool both budget build business but button by byte call can case change chat " +
	"check child class client close cluster code column comment company complete config connect const contact content context continue control copy could " +
	"count country create current customer data database date day decision default define delete deploy describe design detail develop device different direct display " +
	"do document does done draft each edit else email empty enable end enter error event every example except expect export false field file final find first " +
	"following font for form format found from function general get give global go group handle has have header help here high history home how however if " +
	"import in include index information input instance instructions int integer interface internal into is issue it item its job just key know label language " +
	"large last left length let level license like limit line link list load local log long look made main make management many map match may meeting member " +
	"message method might model module month more most move must name need network new next no node not note nothing null number object of off office on one only " +
	"open option or order other our out output over own package page parameter part password path pattern people person personal phone pipeline place plan please " +
	"point policy position possible present press private process product program project property provide public query question quote range read reason receive " +
	"record reference release remote remove report request require reset resource response result return review right role rule run same save schedule scope " +
	"search secret section see select self send server service session set should show side sign since single site size so some source space specific standard " +
	"start state statement static status step still stop storage store string struct style subject such summary support switch system table tag take target task " +
	"team template test text than that the their them then there these they this those through time title to today together token tool top total track true try two type " +
	"under unit until update url use used user using valid value var version very view void want was way we week welcome well were what when where which while " +
	"who will window with without word work world would write year yes you your " +
	"aber alle als am an auch auf aus bei bis bitte das dass dem den der des die diese durch ein eine einen einer er es für haben hat ich ihr im ist kann kein mit " +
	"nach nicht noch nur oder sein sich sie sind über um und uns unter vom von vor war werden wie wir wird wurde zu zum zur "

// commonQuads are the quads of common.
var commonQuads = sync.OnceValue(func() map[uint32]bool {
	out := map[uint32]bool{}
	for i := 0; i+4 <= len(common); i++ {
		out[quad(common[i:])] = true
	}
	return out
})

// rarest returns where the rarest two neighbouring quads of a string of at least five bytes start, by what is likely to follow what. Four bytes that many
// keywords hold are of common words, such as "secr" and "clie".
func rarest(s string, held map[uint32]int) int {
	low := strings.ToLower(s)
	often := func(i int) float64 {
		a, b, c, d := low[i], low[i+1], low[i+2], low[i+3]
		q := quad(low[i:])
		n := bigram(a, b) - unexpected(b, c) - unexpected(c, d) + 3*bits.Len(uint(held[q]))
		if commonQuads()[q] {
			n += 8
		}
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
