"""Descriptions of models for those who publish and find them: Hugging Face and bioimage.io."""
