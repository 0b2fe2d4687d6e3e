"""Writes `protocol.pb`, the protocol's descriptors, from the installed tensorflow-serving-api.

`python -m serving.protocol.generate`. This alone imports TensorFlow; what reads the file does not.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, text_format
from google.protobuf.descriptor import FileDescriptor
from tensorflow_serving.apis import model_service_pb2, prediction_log_pb2, prediction_service_pb2

from serving.protocol import PROTOCOL_FILE

# The protocol of grpcio-health-checking, a package that the client must not need.
_HEALTH = """
name: "grpc/health/v1/health.proto"
package: "grpc.health.v1"
syntax: "proto3"
message_type {
  name: "HealthCheckRequest"
  field { name: "service" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING json_name: "service" }
}
message_type {
  name: "HealthCheckResponse"
  field {
    name: "status" number: 1 label: LABEL_OPTIONAL type: TYPE_ENUM json_name: "status"
    type_name: ".grpc.health.v1.HealthCheckResponse.ServingStatus"
  }
  enum_type {
    name: "ServingStatus"
    value { name: "UNKNOWN" number: 0 }
    value { name: "SERVING" number: 1 }
    value { name: "NOT_SERVING" number: 2 }
    value { name: "SERVICE_UNKNOWN" number: 3 }
  }
}
service {
  name: "Health"
  method {
    name: "Check"
    input_type: ".grpc.health.v1.HealthCheckRequest"
    output_type: ".grpc.health.v1.HealthCheckResponse"
  }
  method {
    name: "Watch"
    input_type: ".grpc.health.v1.HealthCheckRequest"
    output_type: ".grpc.health.v1.HealthCheckResponse"
    server_streaming: true
  }
}
"""


def make_protocol() -> descriptor_pb2.FileDescriptorSet:
    """Collects the files of both services, of PredictionLog and of the health check, each after what it imports."""
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        if file.name in files:
            return
        for imported in file.dependencies:
            add(imported)
        files[file.name] = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(files[file.name])

    for module in (prediction_service_pb2, model_service_pb2, prediction_log_pb2):
        add(module.DESCRIPTOR)
    health = text_format.Parse(_HEALTH, descriptor_pb2.FileDescriptorProto())
    return descriptor_pb2.FileDescriptorSet(file=[*files.values(), health])


def main() -> None:
    """Writes the file and prints its size."""
    content = make_protocol().SerializeToString(deterministic=True)
    PROTOCOL_FILE.write_bytes(content)
    print(f"{PROTOCOL_FILE}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
