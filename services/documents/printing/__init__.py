"""The printed official document: its elements, its page (GB/T 9704-2012) and its two-dimensional code.

A pure library: no store, no network, no web. What it offers:

    sheet.Sheet                       everything that is printed
    body.read_text / read_markdown    a manuscript becomes typed blocks; word.read_docx for .docx
    layout.render(sheet, fonts)       the page as PDF
    code.encode / decode_payload      the text of the two-dimensional code
    picture.draw, scan.find_in_image  the code drawn, and found on a scan
"""
