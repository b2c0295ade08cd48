"""The look of every page: one accent colour, neutral labels, text that stands out from its ground by 4.5 to 1.

That is what WCAG 2.2 asks of text (1.4.3). Gradio's Soft theme, from which this one starts, has 2.2 to 2.5 where it
writes labels, buttons and subdued text.
"""

import gradio as gr

# System fonts alone: the pages must work with no network at all.
_FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Noto Sans CJK SC", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
# White text on it has a contrast of 5.5.
_ACCENT, _ACCENT_HOVER = "*primary_700", "*primary_800"

CSS = """
:focus-visible { outline: 2px solid var(--primary-600) !important; outline-offset: 1px; }
.dark :focus-visible { outline-color: var(--primary-400) !important; }
"""


def theme() -> gr.themes.Base:
    """Theme of the pages, light and dark."""
    return gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=_FONT, font_mono=_MONO).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        block_label_background_fill="*neutral_100",
        block_label_background_fill_dark="*neutral_700",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_100",
        block_title_background_fill="transparent",
        block_title_padding="0",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_100",
        button_primary_background_fill=_ACCENT,
        button_primary_background_fill_dark=_ACCENT,
        button_primary_background_fill_hover=_ACCENT_HOVER,
        button_primary_background_fill_hover_dark=_ACCENT_HOVER,
        button_primary_border_color=_ACCENT,
        button_primary_border_color_dark=_ACCENT,
        button_primary_border_color_hover=_ACCENT_HOVER,
        button_primary_border_color_hover_dark=_ACCENT_HOVER,
        button_secondary_background_fill_hover_dark="*neutral_500",
        checkbox_label_background_fill_selected=_ACCENT,
        checkbox_label_background_fill_selected_dark=_ACCENT,
        checkbox_label_text_color_selected_dark="white",
    )
