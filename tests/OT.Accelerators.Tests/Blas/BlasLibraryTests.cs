using System.ComponentModel;
using System.Diagnostics;
using OT.Accelerators.Blas;
using OT.Backends;
using Xunit;

namespace OT.Accelerators.Tests.Blas;

[Collection(NativePaths.Name)]
public sealed class BlasLibraryTests
{
    [Fact]
    public void Absence_lists_the_paths_tried()
    {
        using var folder = new NativePaths.Folder();
        using var variable = new NativePaths.Set(folder.Path);
        var absent = new NativeLibraryName("no blas", ["libnoblas.so"], SystemLibraries.Blas.Reject);

        var thrown = Assert.Throws<BackendException>(() => BlasLibrary.Require(absent));

        Assert.Equal("blas", thrown.Backend);
        Assert.Contains(folder.File("libnoblas.so"), thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_without_products_is_refused()
    {
        using var folder = new NativePaths.Folder();
        File.Copy(NativePaths.SomeLibrary, folder.File("libwrong.so"));

        Assert.Contains("it has no function", Refusal(folder, "libwrong.so"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "const char *openblas_get_config(void) { return \"OpenBLAS 0.3.21 USE64BITINT DYNAMIC_ARCH\"; }",
        "64-bit counts"
    )]
    [InlineData(
        "const char *openblas_get_config(void) { return \"OpenBLAS 0.3.21 SINGLE_THREADED\"; } int openblas_get_parallel(void) { return 0; }",
        "without threads"
    )]
    [InlineData("long bli_info_get_blas_int_type_size(void) { return 64; }", "64-bit counts")]
    [InlineData("int MKL_Set_Threading_Layer(int layer) { return layer; }", "libmkl_core")]
    public void Builds_that_would_fail_are_refused_with_the_reason(string code, string reason)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The stand-in is compiled for Linux.");
        using var folder = new NativePaths.Folder();
        File.WriteAllText(folder.File("stub.c"), $"void cblas_dgemm(void) {{}}\nvoid cblas_sgemm(void) {{}}\n{code}\n");
        Compile(folder.File("stub.c"), folder.File("libstub.so"));

        Assert.Contains(reason, Refusal(folder, "libstub.so"), StringComparison.Ordinal);
    }

    static string Refusal(NativePaths.Folder folder, string file)
    {
        using var variable = new NativePaths.Set(folder.Path);
        var name = new NativeLibraryName(folder.Path, [file], SystemLibraries.Blas.Reject);
        NativeLoader.Opened result = NativeLoader.Open(name);
        Assert.False(result.Found);
        return result.Attempts[0].Failure!;
    }

    static void Compile(string source, string library)
    {
        try
        {
            using Process compiler = Process.Start("cc", ["-shared", "-fPIC", "-o", library, source]);
            compiler.WaitForExit();
            Assert.Equal(0, compiler.ExitCode);
        }
        catch (Win32Exception)
        {
            Assert.Skip("There is no C compiler to make a stand-in with.");
        }
    }
}
