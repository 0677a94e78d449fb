package schemas

import (
	"os"
	"testing"

	pb "hongbao/schemas/invitepb"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The committed image, which `buf breaking` compares with, describes the committed generated code:
// a change of a message that was not taken through go generate shows here, without buf.
func TestImageIsCurrent(t *testing.T) {
	t.Parallel()
	image, err := os.ReadFile("hongbao.binpb")
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet // a buf image is one, with more fields
	if err := proto.Unmarshal(image, &set); err != nil {
		t.Fatal(err)
	}
	files := make(map[string]*descriptorpb.FileDescriptorProto)
	for _, file := range set.File {
		file.ProtoReflect().SetUnknown(nil) // buf's own
		files[file.GetName()] = file
	}
	generated := []protoreflect.FileDescriptor{
		pb.File_hongbao_invite_v1_event_proto, pb.File_hongbao_invite_v1_fact_proto, pb.File_hongbao_invite_v1_coupon_proto, pb.File_hongbao_invite_v1_reason_proto,
	}
	for _, file := range generated {
		if !proto.Equal(files[file.Path()], protodesc.ToFileDescriptorProto(file)) {
			t.Errorf("%s: image and generated code differ; run go generate ./schemas", file.Path())
		}
	}
	if len(files) != len(generated) {
		t.Errorf("the image has %d files, the generated code %d", len(files), len(generated))
	}
}
