from rest_framework import serializers


class MessageSerializer(serializers.Serializer):
    role = serializers.ChoiceField(choices=["system", "user", "assistant"])
    content = serializers.CharField()


class StreamOptionsSerializer(serializers.Serializer):
    include_usage = serializers.BooleanField(default=False)


class ChatSerializer(serializers.Serializer):
    model = serializers.CharField()
    messages = MessageSerializer(many=True)
    temperature = serializers.FloatField(min_value=0, max_value=2, required=False)
    max_tokens = serializers.IntegerField(min_value=1, required=False)
    stream = serializers.BooleanField(default=False)
    stream_options = StreamOptionsSerializer(required=False)
