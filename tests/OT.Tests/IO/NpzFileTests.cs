using OT.IO;
using Xunit;

namespace OT.Tests.IO;

public sealed class NpzFileTests
{
    [Fact]
    public void Reads_a_compressed_archive_of_numpy()
    {
        using var folder = new TemporaryFolder();
        string path = folder["x.npz"];
        File.WriteAllBytes(path, Convert.FromBase64String(NumpyFiles.Archive));
        Assert.Equal(["a", "b"], NpzFile.Members(path));
        Assert.Equal([0.0, 1, 2, 3, 4, 250], NpzFile.Read(path, "a").ToDoubles());
        Assert.Equal([0L, 1, 2], NpzFile.Read(path, "b").Integers!);
    }

    [Fact]
    public void A_missing_or_unnamed_member_is_refused_with_those_there_are()
    {
        using var folder = new TemporaryFolder();
        string path = folder["x.npz"];
        NpzFile.Write(path, ("first", new NpyArray([1.0], 1)), ("second", new NpyArray([2.0], 1)));
        foreach (string? member in (string?[])[null, "third"])
        {
            InvalidDataException e = Assert.Throws<InvalidDataException>(() => NpzFile.Read(path, member));
            Assert.Contains("first, second", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_only_member_needs_no_name()
    {
        using var folder = new TemporaryFolder();
        NpzFile.Write(folder["x.npz"], ("only", new NpyArray([1.0f, 2], 2)));
        NpyArray array = NpzFile.Read(folder["x.npz"]);
        Assert.True(array.IsSingle);
        Assert.Equal([1.0, 2], array.ToDoubles());
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        using var folder = new TemporaryFolder();
        byte[] whole = Convert.FromBase64String(NumpyFiles.Archive);
        for (int length = 0; length < whole.Length; length += 7)
        {
            File.WriteAllBytes(folder["x.npz"], whole[..length]);
            InvalidDataException e = Assert.Throws<InvalidDataException>(() => NpzFile.ReadAll(folder["x.npz"]));
            Assert.Contains("x.npz", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_flipped_byte_is_noticed()
    {
        using var folder = new TemporaryFolder();
        string path = folder["x.npz"];
        NpzFile.Write(path, ("a", new NpyArray([1.5, 2.5, 3.5], 3)));
        byte[] bytes = File.ReadAllBytes(path);
        int at = bytes.AsSpan().IndexOf(BitConverter.GetBytes(2.5));
        bytes[at + 3] ^= 1;
        File.WriteAllBytes(path, bytes);
        Assert.Contains(
            "checksum",
            Assert.Throws<InvalidDataException>(() => NpzFile.Read(path, "a")).Message,
            StringComparison.Ordinal
        );
    }
}
