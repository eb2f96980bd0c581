using System.Text;

namespace OT.Tests.Conventions;

/// <summary>A small scanner of C# text.</summary>
static class CodeText
{
    /// <summary>The same text with comments and string contents replaced by spaces; line ends stay.</summary>
    public static string WithoutCommentsAndStrings(string text)
    {
        var code = new StringBuilder(text.Length);
        int k = 0;
        while (k < text.Length)
        {
            int end = text[k] switch
            {
                '/' when Next(text, k) == '/' => LineEnd(text, k),
                '/' when Next(text, k) == '*' => After(text, "*/", k + 2),
                '"' when text.AsSpan(k).StartsWith("\"\"\"") => RawStringEnd(text, k),
                '@' when Next(text, k) == '"' => VerbatimEnd(text, k + 2),
                '"' => QuoteEnd(text, k, '"'),
                '\'' => QuoteEnd(text, k, '\''),
                _ => k,
            };
            if (end == k)
            {
                code.Append(text[k++]);
                continue;
            }
            for (; k < end; k++)
                code.Append(text[k] is '\n' or '\r' ? text[k] : ' ');
        }
        return code.ToString();
    }

    static char Next(string text, int k) => k + 1 < text.Length ? text[k + 1] : '\0';

    static int LineEnd(string text, int k)
    {
        int end = text.IndexOf('\n', k);
        return end < 0 ? text.Length : end;
    }

    static int After(string text, string mark, int k)
    {
        int at = text.IndexOf(mark, k, StringComparison.Ordinal);
        return at < 0 ? text.Length : at + mark.Length;
    }

    static int RawStringEnd(string text, int k)
    {
        int quotes = 0;
        while (k + quotes < text.Length && text[k + quotes] == '"')
            quotes++;
        return After(text, new string('"', quotes), k + quotes);
    }

    static int VerbatimEnd(string text, int k)
    {
        for (; k < text.Length; k++)
        {
            if (text[k] != '"')
                continue;
            if (Next(text, k) != '"')
                return k + 1;
            k++;
        }
        return k;
    }

    static int QuoteEnd(string text, int k, char quote)
    {
        for (k++; k < text.Length && text[k] != '\n'; k++)
        {
            if (text[k] == '\\')
                k++;
            else if (text[k] == quote)
                return k + 1;
        }
        return k;
    }
}
