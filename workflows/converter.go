package workflows

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// maxPayload is the most that one argument or result may have: references fit, content does not (invariant 6).
const maxPayload = 4 << 10

// bounded is the data converter of every client: JSON, refused above maxPayload.
func bounded() converter.DataConverter {
	return boundedConverter{converter.GetDefaultDataConverter()}
}

type boundedConverter struct{ converter.DataConverter }

// ToPayload implements converter.DataConverter.
func (b boundedConverter) ToPayload(value any) (*commonpb.Payload, error) {
	p, err := b.DataConverter.ToPayload(value)
	if err == nil && len(p.GetData()) > maxPayload {
		return nil, fmt.Errorf("a payload of type %T has %d bytes, over the limit of %d", value, len(p.GetData()), maxPayload)
	}
	return p, err
}

// ToPayloads implements converter.DataConverter.
func (b boundedConverter) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	out := &commonpb.Payloads{}
	for _, v := range values {
		p, err := b.ToPayload(v)
		if err != nil {
			return nil, err
		}
		out.Payloads = append(out.Payloads, p)
	}
	return out, nil
}
