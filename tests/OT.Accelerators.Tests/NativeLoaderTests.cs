using OT.Accelerators.Native;
using Xunit;

namespace OT.Accelerators.Tests;

[Collection(NativePaths.Name)]
public sealed class NativeLoaderTests
{
    static NativeLibraryName Named(string name, Func<nint, string?>? reject = null) =>
        new(name, [name + ".lib"], reject ?? (_ => null));

    [Fact]
    public void LoaderListsPathsTried()
    {
        using var first = new NativePaths.Folder();
        using var second = new NativePaths.Folder();
        using var variable = new NativePaths.Set(first.Path, second.Path);

        NativeLoader.Opened result = NativeLoader.Open(Named("absent"));

        Assert.False(result.Found);
        string application = AppContext.BaseDirectory;
        Assert.Equal(
            [
                first.File("absent.lib"),
                second.File("absent.lib"),
                Path.Combine(application, "absent.lib"),
                Path.Combine(application, "runtimes", NativeLoader.RuntimeIdentifier, "native", "absent.lib"),
                "absent.lib",
            ],
            result.Attempts.Select(attempt => attempt.Path)
        );
        Assert.All(result.Attempts[..^1], attempt => Assert.Equal("no such file", attempt.Failure));
        // The system's own search answers in its own words, which name the file.
        Assert.Contains("absent.lib", result.Attempts[^1].Failure, StringComparison.Ordinal);
    }

    [Fact]
    public void LoaderRetryInProcess()
    {
        using var folder = new NativePaths.Folder();
        using var variable = new NativePaths.Set(folder.Path);
        NativeLibraryName library = Named("late");

        Assert.False(NativeLoader.Open(library).Found);

        File.Copy(NativePaths.SomeLibrary, folder.File("late.lib"));
        NativeLoader.Opened found = NativeLoader.Open(library);
        Assert.True(found.Found);
        Assert.Equal(new LoadAttempt(folder.File("late.lib"), null), Assert.Single(found.Attempts));
        Assert.Same(found, NativeLoader.Open(library));
    }

    [Fact]
    public void A_path_to_the_file_itself_is_taken()
    {
        using var folder = new NativePaths.Folder();
        File.Copy(NativePaths.SomeLibrary, folder.File("direct.lib"));
        using var variable = new NativePaths.Set(folder.File("direct.lib"));

        NativeLoader.Opened found = NativeLoader.Open(Named("direct"));

        Assert.Equal(folder.File("direct.lib"), Assert.Single(found.Attempts).Path);
    }

    [Fact]
    public void A_file_that_is_no_library_is_reported_and_the_search_goes_on()
    {
        using var bad = new NativePaths.Folder();
        using var good = new NativePaths.Folder();
        File.WriteAllText(bad.File("text.lib"), "This is not a library.");
        File.Copy(NativePaths.SomeLibrary, good.File("text.lib"));
        using var variable = new NativePaths.Set(bad.Path, good.Path);

        NativeLoader.Opened found = NativeLoader.Open(Named("text"));

        Assert.True(found.Found);
        Assert.Equal(2, found.Attempts.Length);
        Assert.NotNull(found.Attempts[0].Failure);
        Assert.NotEqual("no such file", found.Attempts[0].Failure);
        Assert.Null(found.Attempts[1].Failure);
    }

    [Fact]
    public void A_library_that_fails_its_test_is_reported_with_the_reason()
    {
        using var folder = new NativePaths.Folder();
        File.Copy(NativePaths.SomeLibrary, folder.File("other.lib"));
        using var variable = new NativePaths.Set(folder.Path);

        NativeLoader.Opened result = NativeLoader.Open(Named("other", LibOt.Library.Reject));

        Assert.False(result.Found);
        Assert.Equal(new LoadAttempt(folder.File("other.lib"), "it has no function ot_abi_version"), result.Attempts[0]);
    }

    /// <summary>A library of another version is a file with one function, made here where there is a C compiler.</summary>
    [Fact]
    public void A_library_of_another_ABI_is_refused_with_both_versions()
    {
        using var folder = new NativePaths.Folder();
        File.WriteAllText(folder.File("other.c"), "int ot_abi_version(void) { return 1; }\n");
        Compile(folder.File("other.c"), folder.File("abi.lib"));
        using var variable = new NativePaths.Set(folder.Path);

        NativeLoader.Opened result = NativeLoader.Open(Named("abi", LibOt.Library.Reject));

        Assert.False(result.Found);
        Assert.Equal(
            new LoadAttempt(folder.File("abi.lib"), $"its ABI version is 1, this program needs {LibOt.AbiVersion}"),
            result.Attempts[0]
        );
    }

    static void Compile(string source, string library)
    {
        try
        {
            using var compiler = System.Diagnostics.Process.Start("cc", ["-shared", "-fPIC", "-o", library, source]);
            compiler.WaitForExit();
            Assert.Equal(0, compiler.ExitCode);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            Assert.Skip($"No C compiler: {e.Message}");
        }
    }

    [Fact]
    public void A_library_that_is_cut_short_is_passed_over()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The format is that of Linux.");
        using var folder = new NativePaths.Folder();
        byte[] whole = File.ReadAllBytes(NativePaths.SomeLibrary);
        File.WriteAllBytes(folder.File("half.lib"), whole[..(whole.Length / 2)]);
        using var variable = new NativePaths.Set(folder.Path);

        NativeLoader.Opened result = NativeLoader.Open(Named("half"));

        Assert.False(result.Found);
        Assert.Contains("cut short", string.Join(' ', result.Attempts), StringComparison.Ordinal);
    }
}
