"""Settings of buckets of S3-compatible services."""

from pydantic import Field, field_validator

from auricle.config.section import Section, is_service_url


class S3Settings(Section):
    """The service of the bucket that `AURICLE_AUDIO_URL=s3://NAME/PREFIX` names."""

    title = "Audio in S3"

    audio_endpoint: str | None = Field(
        None, description="URL of the S3-compatible service; none: AWS_ENDPOINT_URL_S3, or Amazon."
    )
    audio_region: str | None = Field(
        None, description="Region of the S3 bucket; none: AWS_DEFAULT_REGION."
    )

    @field_validator("audio_endpoint")
    @classmethod
    def _check_audio_endpoint(cls, url: str | None) -> str | None:
        if url is not None and not is_service_url(url):
            raise ValueError("write it as https://host:port, without a name or key in it")
        return url
