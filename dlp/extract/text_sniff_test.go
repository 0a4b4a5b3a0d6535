package extract

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// TestDamagedTextIsRead breaks a few bytes of short texts of two bytes a letter: what stands in ASCII is read.
func TestDamagedTextIsRead(t *testing.T) {
	const value = "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"
	for name, tc := range map[string]struct {
		enc  encoding.Encoding
		text string
	}{
		"euc-jp.txt":  {japanese.EUCJP, "営業部のお客様です。下に書いてあるアクセスキーは秘密ですから、だれにも教えないでください。よろしくお願いします。 "},
		"gb18030.txt": {simplifiedchinese.GB18030, "销售部门内部通知。请不要把下面的访问密钥发给任何人，信息安全部门会处理这件事情。访问密钥如下： "},
		"euc-kr.txt":  {korean.EUCKR, "영업부에서 알려드립니다. 아래에 적힌 접근 키는 비밀이므로 누구에게도 알려주지 마십시오. 감사합니다. "},
	} {
		data, err := tc.enc.NewEncoder().Bytes([]byte(tc.text + tc.text + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(50) {
			r := rand.New(rand.NewPCG(seed, 3))
			bad := bytes.Clone(data)
			for range 2 {
				bad[r.IntN(len(bad))] = byte(r.IntN(256))
			}
			copy(bad[r.IntN(len(bad)-4):], "\x00\x00\x00\x80")
			bad = append(bad, value...)
			if c, rep := readAll(t, name, bad, Options{}); c.find(value) == nil {
				t.Errorf("%s %d: %q %v", name, seed, rep.Type, rep.Gaps)
			}
		}
	}
}

// TestNoiseIsNoText holds bytes at random to be no text, however few they are.
func TestNoiseIsNoText(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	texts := 0
	for range 300 {
		b := make([]byte, 200+r.IntN(2000))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		if isTextHead(b) {
			texts++
		}
	}
	if texts > 0 {
		t.Errorf("%d of 300 were text", texts)
	}
}
